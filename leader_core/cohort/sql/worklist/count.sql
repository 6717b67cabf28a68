-- How many patients a worklist query matches.
SELECT count(*) AS total
FROM working_memory.matching_rows(
    $text_bits, $patient_ids, $splits, $genders, $chapters, $ages, $visits, $teacher_jaccard, $student_jaccard, $gap,
    $prescribed_severe, $suggested_severe, $truncated
);
