-- Their visits, repeated under fresh ids.
CREATE TABLE visits AS
SELECT v.* REPLACE (v.patient_id + c.patient_shift AS patient_id, v.visit_id + c.visit_shift AS visit_id)
FROM source.visits AS v
CROSS JOIN copies AS c
ORDER BY patient_id, visit_no;
