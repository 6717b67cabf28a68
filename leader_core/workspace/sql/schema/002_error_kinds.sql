-- The kinds of error that annotators tag cases with: a log that only grows, so that a kind that was renamed or taken off
-- the list still has its name where it was used. The newest version of each stands.
CREATE TABLE error_kinds (
    kind_id VARCHAR NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    name VARCHAR NOT NULL,
    meaning VARCHAR NOT NULL,
    removed BOOLEAN NOT NULL,
    author VARCHAR NOT NULL,
    written_at TIMESTAMP NOT NULL, -- UTC
    PRIMARY KEY (kind_id, version)
);
