-- Visits whose prescription stands in the file, so that none is written twice.
SELECT visit_id
FROM case_scores
WHERE model = 'prescribed';
