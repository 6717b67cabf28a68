-- The table as the builder wrote it, in reading order.
SELECT * FROM accounting ORDER BY source_table, reason <> 'kept', rows DESC, reason;
