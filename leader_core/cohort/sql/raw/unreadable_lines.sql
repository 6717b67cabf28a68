-- Lines that the reader set aside, one row each with the first thing wrong; a quote that swallowed line ends counts
-- the lines it swallowed.
INSERT INTO unreadable_lines
SELECT
    $table AS source_table,
    line,
    column_name AS "column",
    csv_line AS value,
    CASE CAST(error_type AS VARCHAR)
        WHEN 'MISSING COLUMNS' THEN 'unreadable line: too few cells'
        WHEN 'TOO MANY COLUMNS' THEN 'unreadable line: too many cells'
        WHEN 'INVALID ENCODING' THEN 'unreadable line: not UTF-8'
        WHEN 'UNQUOTED VALUE' THEN 'unreadable line: quotes do not match'
        WHEN 'LINE SIZE OVER MAXIMUM' THEN 'unreadable line: longer than 2,000,000 bytes'
        ELSE 'unreadable line'
    END AS reason,
    len(string_split(rtrim(csv_line, chr(10) || chr(13)), chr(10))) AS rows
FROM reject_errors
QUALIFY row_number() OVER (PARTITION BY line ORDER BY column_idx NULLS LAST) = 1;
