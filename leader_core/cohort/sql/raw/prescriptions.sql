-- PRESCRIPTIONS as read, alike in both layouts: equal orders of a visit are counted while reading, so that memory
-- grows with the distinct orders and not with the file. The NDC is kept only where medications are mapped by it.
CREATE TEMP TABLE raw_prescriptions AS
SELECT
    subject_id,
    hadm_id,
    drug,
    route,
    drug_type,
    CASE WHEN $by_ndc THEN ndc END AS ndc,
    count(*) AS rows
FROM raw_csv($path, $columns)
GROUP BY ALL;
