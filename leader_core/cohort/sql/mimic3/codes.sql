-- DIAGNOSES_ICD or PROCEDURES_ICD of MIMIC-III as read: every code is ICD-9. The version stands in a column of its own.
INSERT INTO raw_codes
SELECT
    $kind AS kind,
    whole_number(subject_id) AS patient_id,
    whole_number(hadm_id) AS visit_id,
    whole_number(seq_num) AS sequence,
    nullif(trim(icd9_code), '') AS icd_code,
    '9' AS icd_version,
    unreadable_number(subject_id) OR unreadable_number(hadm_id) AS unreadable_id,
    unreadable_number(seq_num) AS unreadable_sequence
FROM raw_file;
