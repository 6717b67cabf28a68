-- The largest staging tables are not read again.
DROP TABLE raw_prescriptions;
DROP TABLE raw_diagnoses;
DROP TABLE raw_procedures;
