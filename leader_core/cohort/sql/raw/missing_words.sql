-- How many cells of each column hold a word that other programs write for nothing (NULL, nan, \N ...).
SELECT count_if(missing_word(COLUMNS(*))) FROM file_cells;
