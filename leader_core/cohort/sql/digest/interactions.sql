-- Each statistical pair as one text, in order: the DDI rate depends on them, and on nothing else of the table.
SELECT concat_ws('|', code_a, code_b) AS text
FROM interactions
WHERE severity = 'unknown'
ORDER BY code_a, code_b;
