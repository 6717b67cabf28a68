-- Every usable code of every usable visit, once, before the preset's filters. One order may be several medications.
CREATE TEMP TABLE usable_codes AS
SELECT visit_id, code_id, sequence
FROM icd_rows
WHERE reason IS NULL
UNION ALL
SELECT DISTINCT r.visit_id, i.code_id, CAST(NULL AS BIGINT) AS sequence
FROM drug_rows AS r
INNER JOIN drug_codes AS c ON c.drug_id = r.drug_id
INNER JOIN code_ids AS i ON i.kind = 'medication' AND i.code = c.code
WHERE r.reason IS NULL;
