-- Whether a visit is in the cohort.
SELECT count(*) FROM visits WHERE visit_id = $visit_id;
