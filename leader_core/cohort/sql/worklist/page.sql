-- One page of the worklist; every order ends in the id. Only the page's own rows are looked up in full.
WITH page AS (
    SELECT
        patient_id,
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
        END * CASE WHEN $descending THEN -1 ELSE 1 END AS sort_key
    FROM working_memory.matching_rows(
        $text_bits, $patient_ids, $splits, $genders, $chapters, $ages, $visits, $teacher_jaccard, $student_jaccard, $gap,
        $prescribed_severe, $suggested_severe, $truncated
    )
    ORDER BY sort_key NULLS LAST, patient_id
    LIMIT $page_size OFFSET $skip
)

SELECT
    l.patient_id, l.gender, l.age, l.visits, l.split, l.visit_id, l.admitted_at, w.admission_type,
    w.main_diagnosis, l.diagnoses, l.procedures, l.medications, l.teacher_jaccard, l.student_jaccard, l.gap,
    l.prescribed_severe, l.teacher_severe, l.student_severe, l.truncated, l.prescribed_contraindicated,
    l.teacher_contraindicated, l.student_contraindicated
FROM page AS p
INNER JOIN working_memory.worklist_rows AS l ON p.patient_id = l.patient_id
INNER JOIN worklist AS w ON p.patient_id = w.patient_id
ORDER BY p.sort_key NULLS LAST, p.patient_id;
