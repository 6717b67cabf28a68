-- One fact about the database.
INSERT INTO meta VALUES ($key, $value);
