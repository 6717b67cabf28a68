-- No titles of diagnoses, unless the hospital's dictionary is there to take this table's place.
CREATE TEMP TABLE titles_diagnoses (icd_code VARCHAR, icd_version VARCHAR, title VARCHAR);
