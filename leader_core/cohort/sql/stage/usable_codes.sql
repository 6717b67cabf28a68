-- Every usable code of every usable visit, once, before the preset's filters. One order may be several medications, and
-- one row of diagnoses several codes.
CREATE TEMP TABLE usable_codes AS
SELECT visit_id, code_id, sequence
FROM icd_rows
WHERE reason IS NULL
UNION ALL
SELECT f.visit_id, i.code_id, min(f.sequence) AS sequence
FROM further_codes AS f
INNER JOIN known_visits AS v ON v.visit_id = f.visit_id AND v.patient_id = f.patient_id AND v.reason IS NULL
INNER JOIN icd_map AS m
    ON m.kind = 'diagnosis' AND m.icd_code = f.icd_code AND m.icd_version = f.icd_version AND m.reason IS NULL
INNER JOIN code_ids AS i ON i.kind = m.kind AND i.code = m.code
ANTI JOIN icd_rows AS r ON r.reason IS NULL AND r.visit_id = f.visit_id AND r.code_id = i.code_id
GROUP BY f.visit_id, i.code_id
UNION ALL
SELECT DISTINCT r.visit_id, i.code_id, CAST(NULL AS BIGINT) AS sequence
FROM drug_rows AS r
INNER JOIN drug_codes AS c ON c.drug_id = r.drug_id
INNER JOIN code_ids AS i ON i.kind = 'medication' AND i.code = c.code
WHERE r.reason IS NULL;
