-- One page of the worklist; every order ends in the id. Only the page's own rows are looked up in the wide table.
WITH page AS (
    SELECT
        *,
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
    FROM working_memory.matches(
        $searched, $patient_ids, $splits, $genders, $chapters, $ages, $visits, $teacher_jaccard, $student_jaccard, $gap,
        $prescribed_severe, $suggested_severe, $truncated
    )
    ORDER BY sort_key NULLS LAST, patient_id
    LIMIT $page_size OFFSET $skip
)

SELECT
    p.patient_id, p.gender, p.age, p.visits, p.split, p.visit_id, p.admitted_at, w.admission_type,
    w.main_diagnosis, p.diagnoses, p.procedures, p.medications, p.teacher_jaccard, p.student_jaccard, p.gap,
    p.prescribed_severe, p.teacher_severe, p.student_severe, p.truncated
FROM page AS p
INNER JOIN worklist AS w ON p.patient_id = w.patient_id
ORDER BY p.sort_key NULLS LAST, p.patient_id;
