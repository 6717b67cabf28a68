-- One row per case with what the worklist shows of it. `gap` is the share of the classes suggested by either model that
-- only one of them suggests; "severe" counts the alerts of a suggestion that rank as contraindicated or
-- major, of drugs ordered and of what a class would mean together.
CREATE TABLE overview AS
WITH teacher AS (
    SELECT * FROM case_scores
    WHERE model = 'teacher'
),

student AS (
    SELECT * FROM case_scores
    WHERE model = 'student'
),

given AS (
    SELECT * FROM case_scores
    WHERE model = 'prescribed'
)

SELECT
    g.visit_id,
    g.patient_id,
    t.jaccard AS teacher_jaccard,
    s.jaccard AS student_jaccard,
    CAST(
        1 - len(list_intersect(t.chosen, s.chosen))
        / nullif(t.selected + s.selected - len(list_intersect(t.chosen, s.chosen)), 0) AS FLOAT
    ) AS gap,
    t.contraindicated + t.major AS teacher_severe,
    s.contraindicated + s.major AS student_severe,
    t.contraindicated AS teacher_contraindicated,
    s.contraindicated AS student_contraindicated,
    t.truncated
FROM given AS g
LEFT JOIN teacher AS t ON t.visit_id = g.visit_id
LEFT JOIN student AS s ON s.visit_id = g.visit_id
ORDER BY g.visit_id;
