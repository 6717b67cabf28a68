-- The codes of all visits in order, as concept numbers.
SELECT concept_id FROM visit_codes ORDER BY row_no;
