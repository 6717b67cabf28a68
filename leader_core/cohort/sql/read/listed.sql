-- Everything that the worklist filters and sorts by, a row per patient with what stored scores say of the last visit. Which
-- position a patient has among the ids is known once the list is in memory.
CREATE VIEW working_memory.listed AS
SELECT
    w.patient_id,
    CAST(NULL AS INTEGER) AS place,
    w.gender,
    w.age,
    w.visits,
    w.split,
    w.visit_id,
    w.admitted_at,
    w.diagnoses,
    w.procedures,
    w.medications,
    o.teacher_jaccard,
    o.student_jaccard,
    o.gap,
    o.prescribed_severe,
    o.teacher_severe,
    o.student_severe,
    o.truncated
FROM worklist AS w
LEFT JOIN stored_scores.overview AS o ON w.visit_id = o.visit_id;
