-- The hospital's own titles of ICD procedures: one code may mean different things in versions 9 and 10.
CREATE OR REPLACE TEMP TABLE titles_procedures AS
SELECT filled(icd_code) AS icd_code, filled(icd_version) AS icd_version, filled(long_title) AS title
FROM raw_csv($path, $columns);
