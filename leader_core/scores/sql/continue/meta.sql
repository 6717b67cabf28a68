-- What a file of its own says of itself, opened to be written on.
SELECT key, value FROM meta;
