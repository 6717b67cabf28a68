-- The worklist's rows under the fresh ids. Dates move by hours from copy to copy, so that few are equal.
CREATE TABLE worklist AS
SELECT
    w.* REPLACE (
        w.patient_id + c.patient_shift AS patient_id,
        w.visit_id + c.visit_shift AS visit_id,
        w.admitted_at + to_hours(CAST(c.copy AS INTEGER)) AS admitted_at
    )
FROM source.worklist AS w
CROSS JOIN copies AS c
ORDER BY patient_id;
