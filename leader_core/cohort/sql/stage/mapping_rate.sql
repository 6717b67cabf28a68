-- Usable orders with a medication, and those that name a drug nobody knows.
SELECT
    CAST(coalesce(sum(rows) FILTER (reason IS NULL), 0) AS BIGINT) AS mapped,
    CAST(coalesce(sum(rows) FILTER (reason IN ('unmapped drug', 'NDC not in the map')), 0) AS BIGINT) AS unmapped
FROM drug_rows;
