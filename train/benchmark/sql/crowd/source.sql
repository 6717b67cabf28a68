-- The cohort whose patients are repeated, for reading only.
ATTACH $path AS source (READ_ONLY);
