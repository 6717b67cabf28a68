-- The table as the builder wrote it, in reading order.
SELECT * FROM rejects ORDER BY source_table, line, "column";
