-- Every code that any raw row may stand for, numbered in order of kind and code: from here on rows carry the number,
-- and the text comes back in the lasting tables.
CREATE TEMP TABLE code_ids AS
SELECT
    CAST(row_number() OVER (ORDER BY kind, code) AS INTEGER) AS code_id,
    kind,
    code
FROM (
    SELECT kind, code FROM icd_map WHERE code IS NOT NULL
    UNION
    SELECT 'medication' AS kind, code FROM drug_codes
);
