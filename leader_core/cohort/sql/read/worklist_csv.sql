-- Every patient that a worklist query matches, as a list to take along. A text that a spreadsheet would take for a
-- formula is quoted.
WITH found AS (
    SELECT m.*, w.admission_type, w.main_diagnosis
    FROM working_memory.matches(
        $text_fits, $patient_ids, $splits, $genders, $chapters, $ages, $visits, $teacher_jaccard, $student_jaccard, $gap,
        $prescribed_severe, $suggested_severe, $truncated
    ) AS m
    INNER JOIN worklist AS w ON m.patient_id = w.patient_id
)

SELECT
    patient_id,
    visit_id,
    gender,
    age,
    visits,
    split,
    admitted_at,
    admission_type,
    CASE WHEN regexp_matches(main_diagnosis, '^[=+\-@\t\r]') THEN '''' ELSE '' END || main_diagnosis AS main_diagnosis,
    diagnoses,
    procedures,
    medications,
    teacher_jaccard,
    student_jaccard,
    gap,
    prescribed_severe,
    teacher_severe,
    student_severe,
    truncated
FROM found
ORDER BY
    CASE $sort
        WHEN 'visits' THEN visits
        WHEN 'age' THEN age
        WHEN 'admitted_at' THEN epoch_us(admitted_at)
        WHEN 'diagnoses' THEN diagnoses
        WHEN 'medications' THEN medications
        WHEN 'teacher_jaccard' THEN teacher_jaccard
        WHEN 'student_jaccard' THEN student_jaccard
        WHEN 'gap' THEN gap
        WHEN 'prescribed_severe' THEN prescribed_severe
        ELSE patient_id
    END * CASE WHEN $descending THEN -1 ELSE 1 END NULLS LAST,
    patient_id;
