-- DIAGNOSIS of eICU as read: one row, one diagnosis, its codes in one cell (`eicu_codes` takes them apart). The main
-- diagnosis comes first, then by when it was written.
CREATE TEMP TABLE eicu_diagnoses AS
SELECT
    whole_number(patientunitstayid) AS unit_stay,
    unreadable_number(patientunitstayid) AS unreadable_id,
    CASE lower(filled(diagnosispriority)) WHEN 'primary' THEN 0 WHEN 'major' THEN 1 ELSE 2 END * 100000000
    + coalesce(TRY_CAST(diagnosisoffset AS BIGINT), 0) + 50000000 AS sequence,
    filled(icd9code) AS cell
FROM raw_file;
