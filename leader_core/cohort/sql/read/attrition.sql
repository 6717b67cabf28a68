-- The table as the builder wrote it, in reading order.
SELECT * FROM attrition ORDER BY step;
