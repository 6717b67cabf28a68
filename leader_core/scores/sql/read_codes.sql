-- The classes in the order in which probabilities are stored.
SELECT code
FROM stored_scores.codes
ORDER BY code_no;
