-- Rows read from each raw table: those staged and those whose line could not be read.
WITH staged AS (
    SELECT 'patients' AS source_table, count(*) AS rows FROM raw_patients
    UNION ALL
    SELECT 'admissions' AS source_table, count(*) AS rows FROM raw_admissions
    UNION ALL
    SELECT 'diagnoses_icd' AS source_table, count(*) AS rows FROM raw_codes WHERE kind = 'diagnosis'
    UNION ALL
    SELECT 'procedures_icd' AS source_table, count(*) AS rows FROM raw_codes WHERE kind = 'procedure'
    UNION ALL
    SELECT 'prescriptions' AS source_table, coalesce(sum(rows), 0) AS rows FROM raw_prescriptions
    UNION ALL
    SELECT 'd_icd_diagnoses' AS source_table, count(*) AS rows FROM hospital_titles WHERE kind = 'diagnosis'
    UNION ALL
    SELECT 'd_icd_procedures' AS source_table, count(*) AS rows FROM hospital_titles WHERE kind = 'procedure'
    UNION ALL
    SELECT source_table, rows FROM unreadable_lines
)

SELECT source_table, CAST(sum(rows) AS BIGINT) AS rows
FROM staged
GROUP BY source_table
ORDER BY source_table;
