-- The drug strings behind their medications, patient by patient.
CREATE TABLE orders AS
SELECT o.* REPLACE (o.patient_id + c.patient_shift AS patient_id, o.visit_id + c.visit_shift AS visit_id)
FROM source.orders AS o
CROSS JOIN copies AS c
ORDER BY c.copy, o.rowid;
