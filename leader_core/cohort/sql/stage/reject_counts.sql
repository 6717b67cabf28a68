-- How many rows of each raw table are lost because something in them cannot be read.
WITH lost AS (
    SELECT source_table, rows FROM unreadable_lines

    UNION ALL

    SELECT 'patients' AS source_table, count(*) AS rows FROM raw_patients WHERE unreadable_id

    UNION ALL

    SELECT 'admissions' AS source_table, count(*) AS rows
    FROM visit_candidates
    WHERE reason IN ('unreadable patient or admission id', 'missing or unreadable admission time')

    UNION ALL

    SELECT
        CASE kind WHEN 'diagnosis' THEN 'diagnoses_icd' ELSE 'procedures_icd' END AS source_table,
        rows
    FROM icd_rows
    WHERE reason IN ('unreadable patient or admission id', 'not an ICD code', 'unknown ICD version')

    UNION ALL

    SELECT 'prescriptions' AS source_table, rows
    FROM drug_rows
    WHERE reason = 'unreadable patient or admission id'
)

SELECT source_table, CAST(sum(rows) AS BIGINT) AS rows
FROM lost
GROUP BY source_table
HAVING sum(rows) > 0
ORDER BY rows DESC, source_table;
