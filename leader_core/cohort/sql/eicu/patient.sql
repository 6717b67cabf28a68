-- PATIENT of eICU as read: one row a unit stay. The patient's id becomes a number: 002-1039 is 2001039.
CREATE TEMP TABLE unit_stays AS
SELECT
    row_number() OVER () AS record,
    whole_number(patientunitstayid) AS unit_stay,
    whole_number(patienthealthsystemstayid) AS visit_id,
    CASE
        WHEN regexp_full_match(trim(uniquepid), '[0-9]{1,3}-[0-9]{1,6}')
            THEN CAST(split_part(trim(uniquepid), '-', 1) AS BIGINT) * 1000000
                + CAST(split_part(trim(uniquepid), '-', 2) AS BIGINT)
        ELSE whole_number(uniquepid)
    END AS patient_id,
    sex(gender) AS gender,
    CAST(CASE WHEN trim(age) = '> 89' THEN 91 ELSE whole_number(age) END AS INTEGER) AS age,
    filled(ethnicity) AS ethnicity,
    filled(hospitaladmitsource) AS admission_type,
    TRY_CAST(hospitaladmitoffset AS BIGINT) AS admission_offset,
    whole_number(hospitaldischargeyear) AS discharge_year,
    unreadable_number(patientunitstayid) OR unreadable_number(patienthealthsystemstayid)
    OR (
        filled(uniquepid) IS NOT NULL
        AND NOT regexp_full_match(trim(uniquepid), '[0-9]{1,3}-[0-9]{1,6}|[0-9]+')
    ) AS unreadable_id
FROM raw_file;
