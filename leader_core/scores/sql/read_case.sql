-- One model's scores of one case.
SELECT
    probabilities,
    truncated
FROM stored_scores.case_scores
WHERE visit_id = $visit_id AND model = $model AND probabilities IS NOT NULL;
