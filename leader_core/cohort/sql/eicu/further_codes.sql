-- Codes after the first of rows that name several: they belong to the visit too, and count no row of their own.
INSERT INTO further_codes
SELECT u.patient_id, u.visit_id, d.sequence, c.code AS icd_code, c.version AS icd_version
FROM eicu_diagnoses AS d
INNER JOIN eicu_codes AS c ON c.cell = d.cell AND c.position > 1
INNER JOIN unit_stays AS u ON u.unit_stay = d.unit_stay;
