-- The same where cells are written ="0389", as programs do to keep a spreadsheet from dropping leading zeros.
CREATE OR REPLACE TEMP VIEW file_cells AS
SELECT regexp_replace(COLUMNS(*), '^="(.*)"$', '\1')
FROM raw_csv(getvariable('raw_paths'), getvariable('raw_columns'));
