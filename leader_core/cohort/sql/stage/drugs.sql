-- Each way in which an order is written, once: medications are mapped on these few thousand rows.
CREATE TEMP TABLE drugs AS
SELECT
    CAST(row_number() OVER (ORDER BY drug, route, drug_type, ndc) AS INTEGER) AS drug_id,
    CAST(dense_rank() OVER (ORDER BY filled(drug), filled(route)) AS INTEGER) AS text_id,
    drug,
    route,
    drug_type,
    ndc,
    sum(rows) AS rows,
    sum(with_ndc) AS with_ndc
FROM raw_prescriptions
GROUP BY drug, route, drug_type, ndc;
