-- Every usable code of every usable visit, once, before the preset's filters. One order may be several medications.
CREATE TEMP TABLE usable_codes AS
SELECT kind, visit_id, code, sequence
FROM icd_rows
WHERE reason IS NULL
UNION ALL
SELECT DISTINCT 'medication' AS kind, r.visit_id, c.code, CAST(NULL AS BIGINT) AS sequence
FROM drug_rows AS r
INNER JOIN drug_codes AS c ON c.drug_id = r.drug_id
WHERE r.reason IS NULL;
