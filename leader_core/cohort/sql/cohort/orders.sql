-- The drug strings behind each medication of a visit, as the hospital wrote them, with how often each was ordered.
CREATE TABLE orders AS
SELECT
    k.visit_id,
    k.code,
    coalesce(filled(d.drug), '') AS drug,
    coalesce(filled(d.route), '') AS route,
    CAST(sum(r.rows) AS INTEGER) AS orders,
    k.patient_id
FROM drug_rows AS r
INNER JOIN drug_codes AS c ON c.drug_id = r.drug_id
INNER JOIN drugs AS d ON d.drug_id = r.drug_id
INNER JOIN kept_visit_codes AS k ON k.kind = 'medication' AND k.visit_id = r.visit_id AND k.code = c.code
WHERE r.reason IS NULL
GROUP BY ALL
ORDER BY k.patient_id, k.visit_id, k.code, drug, route;
