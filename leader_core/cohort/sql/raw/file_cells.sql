-- The raw file in hand as text: the paths and columns stand in variables, because a view takes no parameters.
CREATE OR REPLACE TEMP VIEW file_cells AS
SELECT * FROM raw_csv(getvariable('raw_paths'), getvariable('raw_columns'));
