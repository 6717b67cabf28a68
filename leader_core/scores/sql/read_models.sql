-- Which models' scores are stored, and since when.
SELECT model, digest, threshold, cases, scored_at, known
FROM stored_scores.models
ORDER BY model;
