-- Each way in which a code is written, once, with its rows: brought to the project's notation outside SQL.
SELECT kind, icd_code, icd_version, count(*) AS rows
FROM raw_codes
WHERE icd_code IS NOT NULL
GROUP BY kind, icd_code, icd_version
ORDER BY kind, icd_version, icd_code;
