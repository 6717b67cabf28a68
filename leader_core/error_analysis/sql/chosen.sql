-- The classes at or above one model's cut-off (or, of the pseudo-model, those prescribed), case by case.
SELECT
    visit_id,
    chosen
FROM stored_scores.case_scores
WHERE model = $model
ORDER BY visit_id;
