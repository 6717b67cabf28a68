-- Which chapters each visit's diagnoses fall into, as bits: the n-th of the given chapters is bit n, from 0. One number a
-- visit, so that any chapter can be looked up for hundreds of thousands of cases at once.
WITH numbered AS (
    SELECT
        generate_subscripts($chapters, 1) - 1 AS chapter_no,
        unnest($chapters) AS chapter
)

SELECT
    vc.visit_id,
    bit_or(CAST(1 AS BIGINT) << n.chapter_no) AS bits
FROM visit_codes AS vc
INNER JOIN concepts AS c ON c.concept_id = vc.concept_id
INNER JOIN numbered AS n ON n.chapter = c.chapter
WHERE vc.kind = 'diagnosis'
GROUP BY vc.visit_id
ORDER BY vc.visit_id;
