-- The raw file in hand with the columns that it lacks (`absent_columns` has no row), which are empty then.
CREATE OR REPLACE TEMP VIEW raw_file AS
SELECT * FROM file_cells
UNION ALL BY NAME
SELECT * FROM absent_columns;
