-- One fact about the file.
INSERT INTO meta VALUES ($key, $value);
