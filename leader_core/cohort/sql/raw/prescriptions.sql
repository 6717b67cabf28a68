-- PRESCRIPTIONS as read, alike in both layouts: equal orders of a visit are counted while reading, so that memory
-- grows with the distinct orders and not with the file. The NDC is kept only where a map of NDCs is given; how many
-- orders carry a valid one is always counted.
CREATE TEMP TABLE raw_prescriptions AS
SELECT
    subject_id,
    hadm_id,
    drug,
    route,
    drug_type,
    CASE WHEN $by_ndc THEN normal_ndc(ndc) END AS ndc,
    count(*) AS rows,
    count(normal_ndc(ndc)) AS with_ndc
FROM raw_file
GROUP BY ALL;
