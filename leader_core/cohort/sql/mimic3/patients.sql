-- PATIENTS of MIMIC-III as read: birth by date. A patient named twice is kept once, as first written.
CREATE TEMP TABLE raw_patients AS
SELECT
    row_number() OVER () AS record,
    whole_number(subject_id) AS patient_id,
    sex(gender) AS gender,
    moment(dob) AS born,
    CAST(NULL AS INTEGER) AS anchor_age,
    CAST(NULL AS INTEGER) AS anchor_year,
    CAST(NULL AS INTEGER) AS anchor_group_from,
    unreadable_number(subject_id) AS unreadable_id,
    unreadable_moment(dob) AS unreadable_birth
FROM raw_file;
