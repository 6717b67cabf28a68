-- Every pair at the cohort's ATC level.
SELECT code_a, code_b, severity, source, mechanism, effect, management, evidence
FROM interactions
ORDER BY code_a, code_b, source;
