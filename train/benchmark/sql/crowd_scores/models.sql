-- The source's models; where no teacher has scored, the student's entry stands for one under the teacher's digest.
CREATE TABLE models AS
SELECT m.* REPLACE (m.cases * $copies AS cases)
FROM source_scores.models AS m

UNION ALL

SELECT m.* REPLACE ('teacher' AS model, $teacher_digest AS digest, m.cases * $copies AS cases)
FROM source_scores.models AS m
WHERE m.model = 'student' AND 'teacher' NOT IN (SELECT t.model FROM source_scores.models AS t);
