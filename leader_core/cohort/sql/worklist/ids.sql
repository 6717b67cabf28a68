-- The ids of every patient that a worklist query matches, in order.
SELECT patient_id
FROM working_memory.matching_rows(
    $text_bits, $patient_ids, $splits, $genders, $chapters, $ages, $visits, $teacher_jaccard, $student_jaccard, $gap,
    $prescribed_severe, $suggested_severe, $truncated
)
ORDER BY patient_id;
