-- The largest staging table is not read again.
DROP TABLE raw_prescriptions;
