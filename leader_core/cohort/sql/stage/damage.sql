-- How many rows of each raw table hold a cell that cannot be read: only tables with any are looked at a second time.
SELECT 'patients' AS source_table, count(*) FILTER (unreadable_id OR unreadable_birth) AS rows FROM raw_patients
UNION ALL
SELECT
    'admissions' AS source_table,
    count(*) FILTER (
        unreadable_id OR unreadable_discharge OR (admitted_at IS NULL AND visit_order IS NULL AND visit_id IS NOT NULL)
    ) AS rows
FROM raw_admissions
UNION ALL
SELECT
    'diagnoses_icd' AS source_table,
    count(*) FILTER (unreadable_id OR unreadable_sequence)
    + (
        SELECT count(*)
        FROM icd_map
        WHERE kind = 'diagnosis' AND reason IN ('not an ICD code', 'unknown ICD version')
    ) AS rows
FROM raw_codes
WHERE kind = 'diagnosis'
UNION ALL
SELECT
    'procedures_icd' AS source_table,
    count(*) FILTER (unreadable_id OR unreadable_sequence)
    + (
        SELECT count(*)
        FROM icd_map
        WHERE kind = 'procedure' AND reason IN ('not an ICD code', 'unknown ICD version')
    ) AS rows
FROM raw_codes
WHERE kind = 'procedure'
UNION ALL
SELECT 'prescriptions' AS source_table, count(*) AS rows
FROM drug_rows
WHERE reason = 'unreadable patient or admission id';
