-- What the file is and which cohort it was made beside: one row a fact, so that a later version can add some.
CREATE TABLE about (
    key VARCHAR PRIMARY KEY,
    value VARCHAR NOT NULL
);
