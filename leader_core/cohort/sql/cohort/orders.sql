-- The drug strings behind each medication of a visit, as the hospital wrote them, with how often each was ordered.
-- Rows are grouped and sorted by number, and stored patient by patient like the codes.
CREATE TABLE orders AS
WITH texts AS (
    SELECT DISTINCT text_id, coalesce(filled(drug), 'no drug name') AS drug, coalesce(filled(route), '') AS route
    FROM drugs
),

-- Materialized: joined freely, all visits of a class would meet all drugs of it.
medications AS MATERIALIZED (
    SELECT d.drug_id, d.text_id, i.code_id
    FROM drugs AS d
    INNER JOIN drug_codes AS c ON c.drug_id = d.drug_id
    INNER JOIN code_ids AS i ON i.kind = 'medication' AND i.code = c.code
),

counted AS (
    SELECT v.patient_id, r.visit_id, m.code_id, m.text_id, sum(r.rows) AS orders
    FROM drug_rows AS r
    INNER JOIN medications AS m ON m.drug_id = r.drug_id
    INNER JOIN visits AS v ON v.visit_id = r.visit_id
    SEMI JOIN kept_visit_codes AS k ON k.visit_id = r.visit_id AND k.code_id = m.code_id
    WHERE r.reason IS NULL
    GROUP BY ALL
)

SELECT
    c.visit_id,
    i.code,
    t.drug,
    t.route,
    CAST(c.orders AS INTEGER) AS orders,
    c.patient_id
FROM counted AS c
INNER JOIN code_ids AS i ON i.code_id = c.code_id
INNER JOIN texts AS t ON t.text_id = c.text_id
ORDER BY c.patient_id, c.visit_id, c.code_id, c.text_id;
