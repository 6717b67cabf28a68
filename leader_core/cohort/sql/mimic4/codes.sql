-- DIAGNOSES_ICD or PROCEDURES_ICD of MIMIC-IV as read: ICD-9 and ICD-10 mixed, distinguished by their version.
INSERT INTO raw_codes
SELECT
    $kind AS kind,
    whole_number(subject_id) AS patient_id,
    whole_number(hadm_id) AS visit_id,
    whole_number(seq_num) AS sequence,
    nullif(trim(icd_code), '') AS icd_code,
    filled(icd_version) AS icd_version,
    unreadable_number(subject_id) OR unreadable_number(hadm_id) AS unreadable_id,
    unreadable_number(seq_num) AS unreadable_sequence
FROM raw_file;
