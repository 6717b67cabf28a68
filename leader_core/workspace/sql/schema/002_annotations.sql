-- What each annotator said of each visit, version by version; the newest stands. No kind at all is an answer too: looked
-- at, nothing wrong. NULL takes the answer back. Agreement is counted over visits that two annotators have answered.
CREATE TABLE annotations (
    visit_id BIGINT NOT NULL,
    author VARCHAR NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    patient_id BIGINT NOT NULL,
    kinds VARCHAR[],
    written_at TIMESTAMP NOT NULL, -- UTC
    PRIMARY KEY (visit_id, author, version)
);
