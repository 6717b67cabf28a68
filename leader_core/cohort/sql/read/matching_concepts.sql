-- Concepts that all words of a search fit: each word starts some word of the title (or a drug's name, for a medication
-- class), or starts the code or its system. Best match first, then the more frequent code. `words` and `text` come
-- folded as titles are; `longest` is the longest word, tried first because it rules out most.
WITH likely AS (
    SELECT
        kind, code, system, title, parent, concept_id, patients, folded, also,
        lower(split_part(code, ':', -1)) AS bare
    FROM concepts
    WHERE
        list_contains($kinds, kind)
        AND (
            contains(folded, ' ' || $longest) OR contains(also, ' ' || $longest)
            OR contains(lower(code), $longest)
        )
)

SELECT kind, code, system, title, parent, concept_id
FROM likely
WHERE
    len(list_filter(
        $words,
        lambda w: NOT (
            contains(folded, ' ' || w) OR contains(also, ' ' || w)
            OR starts_with(bare, w) OR starts_with(lower(system), w)
        )
    )) = 0
ORDER BY
    CASE
        WHEN bare = $code THEN 0
        WHEN folded = ' ' || $text || ' ' THEN 1
        WHEN starts_with(bare, $code) THEN 2
        WHEN starts_with(folded, ' ' || $text) THEN 3
        WHEN contains(folded, ' ' || $text) THEN 4
        WHEN contains(also, ' ' || $text) THEN 5
        ELSE 6
    END,
    patients DESC,
    kind,
    code
LIMIT $limit;
