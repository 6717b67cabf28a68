-- One row a scored case with everything that it can be grouped by; the chapter is that of the first-listed diagnosis.
-- Ordered by visit, so that what another query says of a visit finds its row by a binary search.
WITH main AS (
    SELECT
        vc.visit_id,
        c.chapter
    FROM visit_codes AS vc
    INNER JOIN concepts AS c ON c.concept_id = vc.concept_id
    WHERE vc.kind = 'diagnosis' AND vc.position = 1
)

SELECT
    g.visit_id,
    g.patient_id,
    v.visit_no,
    p.split,
    v.age,
    coalesce(p.gender, '') AS gender,
    coalesce(v.insurance, '') AS insurance,
    coalesce(v.language, '') AS language,
    coalesce(v.religion, '') AS religion,
    coalesce(v.marital_status, '') AS marital_status,
    coalesce(v.ethnicity, '') AS ethnicity,
    coalesce(v.admission_type, '') AS admission_type,
    coalesce(m.chapter, '') AS chapter,
    v.diagnoses,
    v.procedures,
    g.prescribed,
    g.statistical
FROM stored_scores.case_scores AS g
INNER JOIN visits AS v ON v.visit_id = g.visit_id
INNER JOIN patients AS p ON p.patient_id = v.patient_id
LEFT JOIN main AS m ON m.visit_id = g.visit_id
WHERE g.model = 'prescribed'
ORDER BY g.visit_id;
