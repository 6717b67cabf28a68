-- Every patient of the worklist, by id.
SELECT patient_id FROM worklist ORDER BY patient_id;
