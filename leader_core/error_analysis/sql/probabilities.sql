-- One model's probabilities, case by case in the order they are stored in: read once through in blocks, never sorted.
SELECT
    visit_id,
    probabilities
FROM stored_scores.case_scores
WHERE model = $model AND probabilities IS NOT NULL;
