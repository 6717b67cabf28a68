-- The source's patients, repeated under fresh ids; splits stay, so that filters find what they find there.
CREATE TABLE patients AS
SELECT p.* REPLACE (p.patient_id + c.patient_shift AS patient_id)
FROM source.patients AS p
CROSS JOIN copies AS c
ORDER BY patient_id;
