-- The facts that the builder knows about the database.
INSERT INTO meta SELECT key, value FROM given_meta ORDER BY key;
