-- The patients that a worklist query matches, with what stored scores say of their last visit. `parts` holds a list of
-- concept numbers for each searched part: a patient must have a code of every list, unless the id begins with the
-- searched text. Limits left at NULL and empty lists filter nothing; a limit on a score leaves out cases without one.
CREATE MACRO working_memory.matches(
    searched_text,
    searched_parts,
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
WITH searched AS (
    SELECT
        generate_subscripts(searched_parts, 1) AS part,
        unnest(searched_parts) AS concept_ids
),

wanted AS (
    SELECT
        part,
        unnest(concept_ids) AS concept_id
    FROM searched
),

having_all AS (
    SELECT pc.patient_id
    FROM patient_codes AS pc
    INNER JOIN wanted AS q ON pc.concept_id = q.concept_id
    GROUP BY pc.patient_id
    -- A bit for each part: far cheaper over millions of rows than counting distinct parts.
    HAVING bit_count(bit_or(CAST(1 AS BIGINT) << (q.part - 1))) = len(searched_parts)
),

in_chapters AS (
    SELECT vc.visit_id
    FROM visit_codes AS vc
    INNER JOIN concepts AS c ON vc.concept_id = c.concept_id
    WHERE len(only_chapters) > 0 AND vc.kind = 'diagnosis' AND list_contains(only_chapters, c.chapter)
)

SELECT
    w.*,
    o.teacher_jaccard,
    o.student_jaccard,
    o.gap,
    o.prescribed_severe,
    o.teacher_severe,
    o.student_severe,
    o.truncated
FROM worklist AS w
LEFT JOIN stored_scores.overview AS o ON w.visit_id = o.visit_id
WHERE
    (only_ids IS NULL OR w.patient_id IN (SELECT unnest(only_ids)))
    AND (len(only_splits) = 0 OR list_contains(only_splits, w.split))
    AND (len(only_genders) = 0 OR list_contains(only_genders, coalesce(w.gender, 'unknown')))
    AND (len(only_chapters) = 0 OR w.visit_id IN (SELECT i.visit_id FROM in_chapters AS i))
    AND (age_limits IS NULL OR w.age BETWEEN age_limits[1] AND age_limits[2])
    AND (visit_limits IS NULL OR w.visits BETWEEN visit_limits[1] AND visit_limits[2])
    AND (teacher_limits IS NULL OR o.teacher_jaccard BETWEEN teacher_limits[1] AND teacher_limits[2])
    AND (student_limits IS NULL OR o.student_jaccard BETWEEN student_limits[1] AND student_limits[2])
    AND (gap_limits IS NULL OR o.gap BETWEEN gap_limits[1] AND gap_limits[2])
    AND (prescribed_limits IS NULL OR o.prescribed_severe BETWEEN prescribed_limits[1] AND prescribed_limits[2])
    AND (
        suggested_limits IS NULL
        OR greatest(o.teacher_severe, o.student_severe) BETWEEN suggested_limits[1] AND suggested_limits[2]
    )
    AND (only_truncated IS NULL OR o.truncated = only_truncated)
    AND (
        searched_text = ''
        OR starts_with(CAST(w.patient_id AS VARCHAR), searched_text)
        OR w.patient_id IN (SELECT h.patient_id FROM having_all AS h)
    );
