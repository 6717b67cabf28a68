-- ADMISSIONS of MIMIC-IV as read: RACE takes the place of ETHNICITY (since 2.0), and there is no RELIGION.
CREATE TEMP TABLE raw_admissions AS
SELECT
    row_number() OVER () AS record,
    whole_number(subject_id) AS patient_id,
    whole_number(hadm_id) AS visit_id,
    moment(admittime) AS admitted_at,
    moment(dischtime) AS discharged_at,
    filled(insurance) AS insurance,
    filled(language) AS language,
    CAST(NULL AS VARCHAR) AS religion,
    filled(marital_status) AS marital_status,
    coalesce(filled(race), filled(ethnicity)) AS ethnicity,
    filled(admission_type) AS admission_type,
    unreadable_number(subject_id) OR unreadable_number(hadm_id) AS unreadable_id,
    unreadable_moment(dischtime) OR moment(dischtime) < moment(admittime) AS unreadable_discharge,
    CAST(NULL AS BIGINT) AS visit_order,
    CAST(NULL AS INTEGER) AS age,
    CAST(NULL AS INTEGER) AS calendar_year
FROM raw_file;
