-- Each patient once; their rows are counted as unit stays.
CREATE TEMP TABLE raw_patients AS
SELECT
    min(record) AS record,
    patient_id,
    min(gender) AS gender,
    CAST(NULL AS TIMESTAMP) AS born,
    CAST(NULL AS INTEGER) AS anchor_age,
    CAST(NULL AS INTEGER) AS anchor_year,
    CAST(NULL AS INTEGER) AS anchor_group_from,
    false AS unreadable_id,
    false AS unreadable_birth
FROM unit_stays
WHERE patient_id IS NOT NULL AND NOT unreadable_id
GROUP BY patient_id;
