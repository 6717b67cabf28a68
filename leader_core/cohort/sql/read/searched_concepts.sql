-- What a search for codes looks through: every code of the cohort, with how many patients have it.
SELECT kind, code, system, title, concept_id, patients
FROM concepts
ORDER BY concept_id;
