-- The title of one code, if the cohort has the code and a title for it.
SELECT title FROM concepts WHERE kind = $kind AND code = $code AND titled;
