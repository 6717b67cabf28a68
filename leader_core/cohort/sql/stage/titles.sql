-- Every code of the cohort with the hospital's own title, where its dictionaries have one; the libraries know the
-- rest.
SELECT i.kind, i.code, min(t.title) AS title
FROM code_ids AS i
LEFT JOIN icd_map AS m ON m.kind = i.kind AND m.code = i.code
LEFT JOIN hospital_titles AS t
    ON t.kind = m.kind AND t.icd_code = m.icd_code AND t.icd_version IS NOT DISTINCT FROM m.icd_version
WHERE i.code_id IN (SELECT k.code_id FROM kept_visit_codes AS k)
GROUP BY i.kind, i.code
ORDER BY i.kind, i.code;
