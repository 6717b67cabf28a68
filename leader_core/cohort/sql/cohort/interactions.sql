-- Pairs of medication classes that a table lists, the smaller code first: all pairs of the cohort's ATC level,
-- because a case of one's own may name classes that the cohort has not.
CREATE TABLE interactions AS
SELECT code_a, code_b, severity, source, mechanism, effect, management, evidence
FROM given_interactions
ORDER BY code_a, code_b, severity, source;
