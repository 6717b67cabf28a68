-- Every case's scores under the fresh ids. Where no teacher has scored, a teacher is made up of what the student says
-- of another patient: as large, as often different, and of no meaning, which a measurement of time does not need.
CREATE TABLE case_scores AS
WITH numbered AS (
    SELECT *, row_number() OVER (ORDER BY s.visit_id) - 1 AS case_no, count(*) OVER () AS cases
    FROM source_scores.case_scores AS s
    WHERE s.model = 'student' AND 'teacher' NOT IN (SELECT t.model FROM source_scores.models AS t)
),

made_up AS (
    SELECT
        n.* EXCLUDE (case_no, cases)
        REPLACE ('teacher' AS model, o.visit_id AS visit_id, o.patient_id AS patient_id)
    FROM numbered AS n
    INNER JOIN numbered AS o ON o.case_no = (n.case_no + 1) % n.cases
),

together AS (
    SELECT * FROM source_scores.case_scores
    UNION ALL BY NAME
    SELECT * FROM made_up
)

SELECT t.* REPLACE (t.patient_id + c.patient_shift AS patient_id, t.visit_id + c.visit_shift AS visit_id)
FROM together AS t
CROSS JOIN copies AS c
ORDER BY t.model, visit_id;
