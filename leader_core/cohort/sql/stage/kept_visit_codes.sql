-- The codes of kept visits that the preset keeps: what the cohort is made of.
CREATE TEMP TABLE kept_visit_codes AS
SELECT u.visit_id, f.patient_id, u.code_id, u.sequence
FROM usable_codes AS u
INNER JOIN visit_filters AS f ON f.visit_id = u.visit_id AND f.failed_at IS NULL
SEMI JOIN kept_codes AS k ON k.code_id = u.code_id;
