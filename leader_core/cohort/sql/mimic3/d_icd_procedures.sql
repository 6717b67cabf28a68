-- The hospital's own titles of ICD-9 procedures, code as text: read as numbers, '0066' and '66' would be one.
CREATE OR REPLACE TEMP TABLE titles_procedures AS
SELECT filled(icd9_code) AS icd_code, '9' AS icd_version, filled(long_title) AS title
FROM raw_csv($path, $columns);
