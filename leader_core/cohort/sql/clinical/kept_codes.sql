-- Preset clinical: every code is kept; rare ones are the vocabulary's business, not the cohort's.
CREATE TEMP TABLE kept_codes AS
SELECT code_id, kind, code FROM code_ids;
