-- Preset clinical: every code is kept; rare ones are left to the vocabulary.
CREATE TEMP TABLE kept_codes AS
SELECT code_id, kind, code FROM code_ids;
