-- Which patients are starred: a mark without a text, so that it needs no history.
CREATE TABLE stars (
    patient_id BIGINT PRIMARY KEY,
    author VARCHAR NOT NULL,
    starred_at TIMESTAMP NOT NULL -- UTC
);
