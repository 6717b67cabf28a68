-- How many of the patients that a worklist query matches have each value of a column, for its distribution.
SELECT
    CASE $column
        WHEN 'visits' THEN visits
        WHEN 'age' THEN age
        WHEN 'diagnoses' THEN diagnoses
        WHEN 'medications' THEN medications
        WHEN 'teacher_jaccard' THEN teacher_jaccard
        WHEN 'student_jaccard' THEN student_jaccard
        WHEN 'gap' THEN gap
        WHEN 'prescribed_severe' THEN prescribed_severe
    END AS value,
    count(*) AS patients
FROM working_memory.matching_rows(
    $text_bits, $patient_ids, $splits, $genders, $chapters, $ages, $visits, $teacher_jaccard, $student_jaccard, $gap,
    $prescribed_severe, $suggested_severe, $truncated
)
GROUP BY ALL;
