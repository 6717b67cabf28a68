-- Each way in which a code is written, once: brought to the project's notation outside SQL.
SELECT DISTINCT kind, icd_code, icd_version
FROM raw_codes
WHERE icd_code IS NOT NULL
ORDER BY kind, icd_version, icd_code;
