-- Each interaction as one text, in order.
SELECT concat_ws('|', code_a, code_b, severity, source, mechanism, effect, management, evidence) AS text
FROM interactions
ORDER BY code_a, code_b, severity, source;
