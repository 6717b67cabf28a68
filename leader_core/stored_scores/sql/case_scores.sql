-- One row per model and case: the scores in the order of the model's codes, the classes at or above its cut-off as
-- numbers of `codes`, and the metrics that the worklist and the error analysis sort and group by.
CREATE TABLE case_scores (
    model VARCHAR NOT NULL,
    visit_id BIGINT NOT NULL,
    patient_id BIGINT NOT NULL,
    probabilities FLOAT[],
    chosen SMALLINT[] NOT NULL,
    selected SMALLINT NOT NULL,
    prescribed SMALLINT NOT NULL,
    hits SMALLINT NOT NULL,
    jaccard FLOAT,
    f1 FLOAT,
    prauc FLOAT,
    contraindicated SMALLINT,
    major SMALLINT,
    moderate SMALLINT,
    minor SMALLINT,
    statistical SMALLINT NOT NULL,
    truncated BOOLEAN NOT NULL
);
