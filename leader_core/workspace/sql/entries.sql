-- Everything that users write about a cohort, as a log that only grows: nothing is changed in place, so nothing is lost.
-- The newest revision of an entry that is not refused is what it says now.
CREATE TABLE entries (
    kind TEXT NOT NULL, -- about, note, star, cohort, variant, error_kind, annotation; decision (of earlier versions)
    key TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    refused INTEGER NOT NULL, -- 1: an edit of a revision that somebody else had changed by then
    deleted INTEGER NOT NULL, -- 1: hides the entry, no more
    patient_id INTEGER,
    visit_id INTEGER,
    author TEXT NOT NULL,
    created_at TEXT NOT NULL, -- UTC, ISO 8601 with microseconds, so that text order is time order
    body TEXT NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (kind, key, revision)
);
