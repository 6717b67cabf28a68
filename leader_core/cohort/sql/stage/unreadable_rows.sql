-- How many lines could not be read.
SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) AS rows FROM unreadable_lines;
