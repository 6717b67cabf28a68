-- What is stored of each case of one model, without its probabilities: a narrow read, whatever the number of classes.
SELECT
    visit_id,
    jaccard,
    f1,
    prauc,
    selected,
    prescribed,
    hits,
    statistical,
    truncated
FROM stored_scores.case_scores
WHERE model = $model
ORDER BY visit_id;
