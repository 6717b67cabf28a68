-- Orders without a name, and those of them whose HICL number means one drug.
SELECT
    CAST(coalesce(sum(r.rows), 0) AS BIGINT) AS rows,
    CAST(coalesce(sum(r.rows) FILTER (h.name IS NOT NULL), 0) AS BIGINT) AS named
FROM raw_prescriptions AS r
LEFT JOIN hicl_names AS h ON h.hicl = r.ndc
WHERE r.drug IS NULL;
