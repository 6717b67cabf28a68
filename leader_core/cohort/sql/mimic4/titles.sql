-- The hospital's own titles of ICD codes: one code may mean different things in versions 9 and 10.
INSERT INTO hospital_titles
SELECT $kind AS kind, filled(icd_code) AS icd_code, filled(icd_version) AS icd_version, filled(long_title) AS title
FROM raw_file;
