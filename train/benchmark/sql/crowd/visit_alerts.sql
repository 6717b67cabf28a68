-- The alerts of what was ordered in their visits.
CREATE TABLE visit_alerts AS
SELECT a.* REPLACE (a.visit_id + c.visit_shift AS visit_id)
FROM source.visit_alerts AS a
CROSS JOIN copies AS c
ORDER BY visit_id;
