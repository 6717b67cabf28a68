-- A place for what a reader defines for itself: the cohort's own file stays read-only.
ATTACH ':memory:' AS working_memory;
