-- Who ever had a code, code by code as the builder keeps it.
CREATE TABLE patient_codes AS
SELECT
    p.concept_id,
    p.patient_id + c.patient_shift AS patient_id
FROM source.patient_codes AS p
CROSS JOIN copies AS c
ORDER BY p.concept_id, patient_id;
