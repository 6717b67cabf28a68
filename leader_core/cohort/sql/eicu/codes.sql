-- The first code of each row of DIAGNOSIS, under the hospital stay of its unit stay (-1: no such unit stay).
INSERT INTO raw_codes
SELECT
    'diagnosis' AS kind,
    CASE WHEN u.unit_stay IS NOT NULL THEN u.patient_id WHEN d.unit_stay IS NOT NULL THEN -1 END AS patient_id,
    CASE WHEN u.unit_stay IS NOT NULL THEN u.visit_id WHEN d.unit_stay IS NOT NULL THEN -1 END AS visit_id,
    d.sequence,
    c.code AS icd_code,
    c.version AS icd_version,
    d.unreadable_id,
    false AS unreadable_sequence
FROM eicu_diagnoses AS d
LEFT JOIN eicu_codes AS c ON c.cell = d.cell AND c.position = 1
LEFT JOIN unit_stays AS u ON u.unit_stay = d.unit_stay;
