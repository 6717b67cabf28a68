-- What was attached turned out not to be stored scores of this cohort.
DETACH stored_scores;
