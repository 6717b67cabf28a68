-- TREATMENT of eICU as read: paths of words, a code system of their own.
INSERT INTO raw_codes
SELECT
    'procedure' AS kind,
    CASE WHEN u.unit_stay IS NOT NULL THEN u.patient_id WHEN t.unit_stay IS NOT NULL THEN -1 END AS patient_id,
    CASE WHEN u.unit_stay IS NOT NULL THEN u.visit_id WHEN t.unit_stay IS NOT NULL THEN -1 END AS visit_id,
    CAST(NULL AS BIGINT) AS sequence,
    t.icd_code,
    'EICU' AS icd_version,
    t.unreadable_id,
    false AS unreadable_sequence
FROM (
    SELECT
        whole_number(patientunitstayid) AS unit_stay,
        nullif(trim(treatmentstring), '') AS icd_code,
        unreadable_number(patientunitstayid) AS unreadable_id
    FROM raw_file
) AS t
LEFT JOIN unit_stays AS u ON u.unit_stay = t.unit_stay;
