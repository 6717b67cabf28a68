-- The patients that a worklist query matches, with all that it sorts by. Who matches a searched text is given as one bit a
-- patient, by place among the ids; NULL where none was searched. Limits left at NULL and empty lists filter nothing; a
-- limit on a score leaves out cases without one.
CREATE MACRO working_memory.matching_rows(
    text_bits,
    only_ids,
    only_splits,
    only_genders,
    only_chapters,
    age_limits,
    visit_limits,
    teacher_limits,
    student_limits,
    gap_limits,
    prescribed_limits,
    suggested_limits,
    only_truncated
) AS TABLE
WITH in_chapters AS (
    SELECT vc.visit_id
    FROM visit_codes AS vc
    INNER JOIN concepts AS c ON vc.concept_id = c.concept_id
    WHERE len(only_chapters) > 0 AND vc.kind = 'diagnosis' AND list_contains(only_chapters, c.chapter)
)

SELECT w.*
FROM working_memory.worklist_rows AS w
WHERE
    (only_ids IS NULL OR w.patient_id IN (SELECT unnest(only_ids)))
    AND (len(only_splits) = 0 OR list_contains(only_splits, w.split))
    AND (len(only_genders) = 0 OR list_contains(only_genders, coalesce(w.gender, 'unknown')))
    AND (len(only_chapters) = 0 OR w.visit_id IN (SELECT i.visit_id FROM in_chapters AS i))
    AND (age_limits IS NULL OR w.age BETWEEN age_limits[1] AND age_limits[2])
    AND (visit_limits IS NULL OR w.visits BETWEEN visit_limits[1] AND visit_limits[2])
    AND (teacher_limits IS NULL OR w.teacher_jaccard BETWEEN teacher_limits[1] AND teacher_limits[2])
    AND (student_limits IS NULL OR w.student_jaccard BETWEEN student_limits[1] AND student_limits[2])
    AND (gap_limits IS NULL OR w.gap BETWEEN gap_limits[1] AND gap_limits[2])
    AND (prescribed_limits IS NULL OR w.prescribed_severe BETWEEN prescribed_limits[1] AND prescribed_limits[2])
    AND (
        suggested_limits IS NULL
        OR greatest(w.teacher_severe, w.student_severe) BETWEEN suggested_limits[1] AND suggested_limits[2]
    )
    AND (only_truncated IS NULL OR w.truncated = only_truncated)
    AND (text_bits IS NULL OR get_bit(CAST(CAST(text_bits AS BLOB) AS BIT), w.place) = 1);
