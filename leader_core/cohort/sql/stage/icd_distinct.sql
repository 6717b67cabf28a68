-- Each way in which a code is written, once: brought to the project's notation outside SQL.
SELECT kind, icd_code, icd_version, sum(rows) AS rows
FROM (
    SELECT 'diagnosis' AS kind, icd_code, icd_version, count(*) AS rows FROM raw_diagnoses GROUP BY ALL
    UNION ALL
    SELECT 'procedure' AS kind, icd_code, icd_version, count(*) AS rows FROM raw_procedures GROUP BY ALL
)
WHERE icd_code IS NOT NULL
GROUP BY ALL
ORDER BY kind, icd_version, icd_code;
