-- No titles of procedures, unless the hospital's dictionary is there to take this table's place.
CREATE TEMP TABLE titles_procedures (icd_code VARCHAR, icd_version VARCHAR, title VARCHAR);
