-- PATIENTS of MIMIC-IV as read: age at an anchor year instead of a date of birth, and the three years of the calendar
-- that the anchor year stands for ('2014 - 2016').
CREATE TEMP TABLE raw_patients AS
SELECT
    row_number() OVER () AS record,
    whole_number(subject_id) AS patient_id,
    sex(gender) AS gender,
    CAST(NULL AS TIMESTAMP) AS born,
    CAST(whole_number(anchor_age) AS INTEGER) AS anchor_age,
    CAST(whole_number(anchor_year) AS INTEGER) AS anchor_year,
    TRY_CAST(left(trim(anchor_year_group), 4) AS INTEGER) AS anchor_group_from,
    unreadable_number(subject_id) AS unreadable_id,
    unreadable_number(anchor_age) OR unreadable_number(anchor_year) AS unreadable_birth
FROM raw_file;
