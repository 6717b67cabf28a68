-- The source's models; where no teacher has scored, the student's entry stands for one, under the teacher's digest
-- and cut-off.
CREATE TABLE models AS
SELECT m.* REPLACE (m.cases * $copies AS cases)
FROM source_scores.models AS m

UNION ALL

SELECT
    m.* REPLACE (
        'teacher' AS model,
        $teacher_digest AS digest,
        $teacher_threshold AS threshold,
        m.cases * $copies AS cases
    )
FROM source_scores.models AS m
WHERE m.model = 'student' AND 'teacher' NOT IN (SELECT t.model FROM source_scores.models AS t);
