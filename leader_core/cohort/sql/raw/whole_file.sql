-- The raw file in hand where it has every column that is read: what all staging tables read.
CREATE OR REPLACE TEMP VIEW raw_file AS
SELECT * FROM file_cells;
