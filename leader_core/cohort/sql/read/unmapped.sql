-- The table as the builder wrote it, in reading order.
SELECT * FROM unmapped ORDER BY rows DESC, drug, route;
