-- Each way in which a code is written, once, with its rows: brought to the project's notation outside SQL.
SELECT kind, icd_code, icd_version, count(*) AS rows
FROM (
    SELECT kind, icd_code, icd_version FROM raw_codes
    UNION ALL
    SELECT 'diagnosis' AS kind, icd_code, icd_version FROM further_codes
)
WHERE icd_code IS NOT NULL
GROUP BY kind, icd_code, icd_version
ORDER BY kind, icd_version, icd_code;
