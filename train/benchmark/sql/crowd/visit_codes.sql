-- Their codes, in the order that the builder keeps: patient by patient.
CREATE TABLE visit_codes AS
SELECT
    v.* REPLACE (
        v.patient_id + c.patient_shift AS patient_id,
        v.visit_id + c.visit_shift AS visit_id,
        v.row_no + c.row_shift AS row_no
    )
FROM source.visit_codes AS v
CROSS JOIN copies AS c
ORDER BY c.copy, v.row_no;
