-- Everything that the worklist filters and sorts by, a row per patient with the alerts of what was ordered in the last visit
-- and what stored scores say of it. Which position a patient has among the ids is known once the list is in memory.
CREATE VIEW working_memory.worklist_rows AS
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
    a.contraindicated + a.major AS prescribed_severe,
    o.teacher_severe,
    o.student_severe,
    a.contraindicated AS prescribed_contraindicated,
    o.teacher_contraindicated,
    o.student_contraindicated,
    o.truncated
FROM worklist AS w
LEFT JOIN cohort.visit_alerts AS a ON w.visit_id = a.visit_id
LEFT JOIN stored_scores.overview AS o ON w.visit_id = o.visit_id;
