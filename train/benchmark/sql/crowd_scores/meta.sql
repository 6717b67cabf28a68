-- What the file belongs to: the repeated cohort.
CREATE TABLE meta AS
SELECT m.key, CASE WHEN m.key = 'cohort' THEN $digest ELSE m.value END AS value
FROM source_scores.meta AS m;
