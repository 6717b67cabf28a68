-- The first line where a quote opens and so much follows that it cannot be one cell.
SELECT min(line) AS line
FROM unreadable_lines
WHERE source_table = $table AND length(value) >= $longest AND reason = 'unreadable line: quotes do not match'
HAVING count(*) > 0;
