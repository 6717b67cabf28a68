-- Hospital stays from unit stays, the first unit stay of each first. eICU has no dates: offsets say which unit stay came
-- first (the one that began soonest after the hospital admission), the year of discharge and the age order the stays.
CREATE TEMP TABLE raw_admissions AS
SELECT
    row_number() OVER (ORDER BY visit_id, admission_offset DESC NULLS LAST, unit_stay, record) AS record,
    patient_id,
    visit_id,
    CAST(NULL AS TIMESTAMP) AS admitted_at,
    CAST(NULL AS TIMESTAMP) AS discharged_at,
    CAST(NULL AS VARCHAR) AS insurance,
    CAST(NULL AS VARCHAR) AS language,
    CAST(NULL AS VARCHAR) AS religion,
    CAST(NULL AS VARCHAR) AS marital_status,
    ethnicity,
    admission_type,
    unreadable_id,
    false AS unreadable_discharge,
    coalesce(min(discharge_year) OVER stay, 0) * 1000 + coalesce(min(age) OVER stay, 0) AS visit_order,
    age,
    CAST(min(discharge_year) OVER stay AS INTEGER) AS calendar_year
FROM unit_stays
WINDOW stay AS (PARTITION BY visit_id);
