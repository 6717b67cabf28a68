-- The medication classes that `chosen` numbers, over all models and prescriptions.
CREATE TABLE codes (code_no SMALLINT PRIMARY KEY, code VARCHAR NOT NULL UNIQUE);
