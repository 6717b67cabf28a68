-- How many rows of PRESCRIPTIONS each way of writing an order stands for.
SELECT drug_id, CAST(rows AS BIGINT) AS rows FROM drugs;
