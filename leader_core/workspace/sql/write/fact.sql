-- What the file says of itself.
INSERT INTO about VALUES ($key, $value) ON CONFLICT DO UPDATE SET value = excluded.value;
