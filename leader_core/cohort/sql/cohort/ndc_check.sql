-- What the NDCs of all orders say, compared with the names, most frequent first; together the rows count every order read.
-- Drug, route and codes stand only where the map knows the NDC. Without a map only the valid NDCs are counted.
CREATE TABLE ndc_check AS
WITH judged AS (
    SELECT
        o.verdict,
        CASE WHEN o.ndc_code IS NOT NULL THEN coalesce(filled(d.drug), '') END AS drug,
        CASE WHEN o.ndc_code IS NOT NULL THEN coalesce(filled(d.route), '') END AS route,
        o.ndc_code,
        o.name_code,
        d.rows
    FROM drugs AS d
    INNER JOIN drug_outcomes AS o ON o.drug_id = d.drug_id
    WHERE o.verdict <> 'valid NDC, no map given'

    UNION ALL

    SELECT
        o.verdict,
        NULL AS drug,
        NULL AS route,
        NULL AS ndc_code,
        NULL AS name_code,
        d.with_ndc AS rows
    FROM drugs AS d
    INNER JOIN drug_outcomes AS o ON o.drug_id = d.drug_id
    WHERE o.verdict = 'valid NDC, no map given'

    UNION ALL

    SELECT
        'no valid NDC' AS verdict,
        NULL AS drug,
        NULL AS route,
        NULL AS ndc_code,
        NULL AS name_code,
        d.rows - d.with_ndc AS rows
    FROM drugs AS d
    INNER JOIN drug_outcomes AS o ON o.drug_id = d.drug_id
    WHERE o.verdict = 'valid NDC, no map given'
)

SELECT
    verdict,
    drug,
    route,
    ndc_code,
    CASE WHEN ndc_code IS NOT NULL THEN name_code END AS name_code,
    CAST(sum(rows) AS BIGINT) AS orders
FROM judged
GROUP BY ALL
HAVING sum(rows) > 0
ORDER BY orders DESC, verdict, drug, route, ndc_code, name_code;
