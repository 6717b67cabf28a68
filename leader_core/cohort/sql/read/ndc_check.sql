-- The table as the builder wrote it, in reading order.
SELECT * FROM ndc_check ORDER BY orders DESC, verdict, drug, route, ndc_code, name_code;
