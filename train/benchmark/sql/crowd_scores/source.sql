-- Stored scores of the cohort that was repeated, for reading only.
ATTACH $path AS source_scores (READ_ONLY);
