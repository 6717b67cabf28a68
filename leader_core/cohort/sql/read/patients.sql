-- One page of the worklist and the number of matches. `parts` holds a list of concept numbers for each searched part:
-- a patient must have a code of every list, unless the id begins with the searched text. Every order ends in the id.
WITH searched AS (
    SELECT generate_subscripts($parts, 1) AS part, unnest($parts) AS concept_ids
),

wanted AS (
    SELECT part, unnest(concept_ids) AS concept_id FROM searched
),

having_all AS (
    SELECT pc.patient_id
    FROM patient_codes AS pc
    INNER JOIN wanted AS q ON q.concept_id = pc.concept_id
    GROUP BY pc.patient_id
    -- A bit for each part: far cheaper over millions of rows than counting distinct parts.
    HAVING bit_count(bit_or(CAST(1 AS BIGINT) << (q.part - 1))) = len($parts)
),

matches AS (
    SELECT *
    FROM worklist AS w
    WHERE
        (len($splits) = 0 OR list_contains($splits, w.split))
        AND (len($genders) = 0 OR list_contains($genders, coalesce(w.gender, 'unknown')))
        AND ($age_low IS NULL OR w.age BETWEEN $age_low AND $age_high)
        AND ($visits_low IS NULL OR w.visits BETWEEN $visits_low AND $visits_high)
        AND (
            $text = ''
            OR starts_with(CAST(w.patient_id AS VARCHAR), $text)
            OR w.patient_id IN (SELECT h.patient_id FROM having_all AS h)
        )
),

page AS (
    SELECT
        *,
        CASE $sort
            WHEN 'visits' THEN visits
            WHEN 'age' THEN age
            WHEN 'admitted_at' THEN epoch_us(admitted_at)
            WHEN 'diagnoses' THEN diagnoses
            WHEN 'medications' THEN medications
            ELSE patient_id
        END * CASE WHEN $descending THEN -1 ELSE 1 END AS sort_key
    FROM matches
    ORDER BY sort_key NULLS LAST, patient_id
    LIMIT $page_size OFFSET $skip
)

SELECT
    p.patient_id, p.gender, p.age, p.visits, p.split, p.visit_id, p.admitted_at, p.admission_type,
    p.main_diagnosis, p.diagnoses, p.procedures, p.medications, n.total
FROM (SELECT count(*) AS total FROM matches) AS n
LEFT JOIN page AS p ON true
ORDER BY p.sort_key NULLS LAST, p.patient_id;
