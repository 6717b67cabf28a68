-- The columns of `overview` without a row, where no scores are stored.
CREATE TABLE stored_scores.overview (
    visit_id BIGINT,
    patient_id BIGINT,
    teacher_jaccard FLOAT,
    student_jaccard FLOAT,
    gap FLOAT,
    teacher_severe SMALLINT,
    student_severe SMALLINT,
    teacher_contraindicated SMALLINT,
    student_contraindicated SMALLINT,
    truncated BOOLEAN
);
