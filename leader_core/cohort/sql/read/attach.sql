-- The cohort's file, for reading only.
ATTACH $path AS cohort (READ_ONLY);
