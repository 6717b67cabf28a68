-- Every code of the cohort with the hospital's own title, where its dictionaries have one; the libraries know the
-- rest.
SELECT k.kind, k.code, min(t.title) AS title
FROM (SELECT DISTINCT kind, code FROM kept_visit_codes) AS k
LEFT JOIN icd_map AS m ON m.kind = k.kind AND m.code = k.code
LEFT JOIN (
    SELECT 'diagnosis' AS kind, * FROM titles_diagnoses
    UNION ALL
    SELECT 'procedure' AS kind, * FROM titles_procedures
) AS t
    ON t.kind = m.kind AND t.icd_code = m.icd_code AND t.icd_version IS NOT DISTINCT FROM m.icd_version
GROUP BY k.kind, k.code
ORDER BY k.kind, k.code;
