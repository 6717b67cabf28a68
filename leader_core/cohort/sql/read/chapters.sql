-- The chapters that the cohort's diagnoses fall into, each once, those with most patients first.
SELECT chapter
FROM concepts
WHERE kind = 'diagnosis' AND chapter IS NOT NULL
GROUP BY chapter
ORDER BY sum(patients) DESC, chapter;
