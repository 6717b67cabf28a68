-- Drug strings of usable orders that map to no medication class, most frequent first: what to map next.
CREATE TABLE unmapped AS
SELECT
    coalesce(filled(d.drug), '') AS drug,
    coalesce(filled(d.route), '') AS route,
    CAST(sum(r.rows) AS BIGINT) AS rows
FROM drug_rows AS r
INNER JOIN drugs AS d ON d.drug_id = r.drug_id
WHERE r.reason IN ('unmapped drug', 'NDC not in the map')
GROUP BY ALL
ORDER BY rows DESC, drug, route;
