-- The distinct orders, in a stable order.
SELECT drug_id, drug, route, drug_type, ndc FROM drugs ORDER BY drug_id;
