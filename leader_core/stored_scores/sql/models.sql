-- One row for everything that was scored or compared: a model, a baseline, or what was really prescribed.
CREATE TABLE models (
    model VARCHAR PRIMARY KEY,
    digest VARCHAR NOT NULL,
    threshold DOUBLE NOT NULL,
    cases BIGINT NOT NULL,
    scored_at TIMESTAMP NOT NULL,
    known BOOLEAN[] NOT NULL
);
