-- Everything that people write, as a log of versions that only grows: nothing is changed in place, so nothing is lost.
-- An entry is a note, a saved cohort, a variant or a decision; its newest version that was accepted is what it says now.
CREATE TABLE entries (
    entry_id VARCHAR NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    kind VARCHAR NOT NULL CHECK (kind IN ('note', 'cohort', 'variant', 'decision')),
    -- 'refused' is an edit of a version that somebody else had changed by then; 'removed' hides the entry, no more
    state VARCHAR NOT NULL CHECK (state IN ('accepted', 'refused', 'removed')),
    based_on INTEGER NOT NULL, -- the version that its writer saw; 0 for the first
    patient_id BIGINT,
    visit_id BIGINT,
    name VARCHAR NOT NULL DEFAULT '',
    body VARCHAR NOT NULL,
    tags VARCHAR[] NOT NULL,
    author VARCHAR NOT NULL,
    written_at TIMESTAMP NOT NULL, -- UTC
    PRIMARY KEY (entry_id, version)
);
