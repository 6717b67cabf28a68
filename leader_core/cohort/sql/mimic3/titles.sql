-- The hospital's own titles of ICD-9 codes, code as text: read as numbers, '0066' and '66' would be one.
INSERT INTO hospital_titles
SELECT $kind AS kind, filled(icd9_code) AS icd_code, '9' AS icd_version, filled(long_title) AS title
FROM raw_file;
