-- PATIENTS of MIMIC-IV as read: age at an anchor year instead of a date of birth.
CREATE TEMP TABLE raw_patients AS
SELECT
    row_number() OVER () AS record,
    whole_number(subject_id) AS patient_id,
    sex(gender) AS gender,
    CAST(NULL AS TIMESTAMP) AS born,
    CAST(whole_number(anchor_age) AS INTEGER) AS anchor_age,
    CAST(whole_number(anchor_year) AS INTEGER) AS anchor_year,
    unreadable_number(subject_id) AS unreadable_id,
    unreadable_number(anchor_age) OR unreadable_number(anchor_year) AS unreadable_birth
FROM raw_file;
