-- One row per patient as the worklist shows it, from the last visit, so that sorting and filtering hundreds of
-- thousands of patients reads one narrow table.
CREATE TABLE worklist AS
WITH main AS (
    SELECT visit_id, concept_id
    FROM visit_codes
    WHERE kind = 'diagnosis' AND position = 1
)

SELECT
    p.patient_id,
    p.gender,
    v.age,
    p.visits,
    p.split,
    v.visit_id,
    v.admitted_at,
    v.admission_type,
    c.title AS main_diagnosis,
    v.diagnoses,
    v.procedures,
    v.medications
FROM patients AS p
INNER JOIN visits AS v ON v.patient_id = p.patient_id AND v.visit_no = p.visits
LEFT JOIN main AS m ON m.visit_id = v.visit_id
LEFT JOIN concepts AS c ON c.concept_id = m.concept_id
ORDER BY p.patient_id;
