-- How many cells of each column are whole numbers with a decimal point: 123.0, as spreadsheets and data frames write ids.
SELECT count_if(coalesce(regexp_full_match(trim(COLUMNS(*)), '[0-9]+[.]0*'), false)) FROM file_cells;
