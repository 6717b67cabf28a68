-- Everything the database says of itself.
SELECT key, value FROM meta;
