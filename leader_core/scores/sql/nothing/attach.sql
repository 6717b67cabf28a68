-- A place in memory for what would be stored scores.
ATTACH ':memory:' AS stored_scores;
