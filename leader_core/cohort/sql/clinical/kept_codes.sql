-- Preset clinical: every code is kept; rare ones are the vocabulary's business, not the cohort's.
CREATE TEMP TABLE kept_codes AS
SELECT DISTINCT kind, code FROM usable_codes;
