-- The cohort's concepts of one kind, by code.
SELECT code, title, concept_id FROM concepts WHERE kind = $kind ORDER BY code;
