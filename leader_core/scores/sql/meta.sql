-- What the file belongs to: the cohort's digest, the form of these tables, and which visits were scored.
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
