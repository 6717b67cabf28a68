-- Stored scores beside the cohort's own tables, for joins; nobody writes to them through a reader.
ATTACH $path AS stored_scores (READ_ONLY);
