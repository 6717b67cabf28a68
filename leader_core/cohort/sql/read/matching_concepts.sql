-- Concepts that all words of a search fit: each word starts some word of the title, or starts the code (with or without
-- its system). Best match first, then the more frequent code. `words` and `text` come folded as `folded` folds titles.
WITH candidates AS (
    SELECT kind, code, system, title, parent, concept_id, patients, folded, lower(split_part(code, ':', -1)) AS bare
    FROM concepts
    WHERE list_contains($kinds, kind)
)

SELECT kind, code, system, title, parent, concept_id
FROM candidates
WHERE
    len(list_filter(
        $words, lambda w: NOT (contains(folded, ' ' || w) OR starts_with(bare, w) OR starts_with(lower(system), w))
    )) = 0
ORDER BY
    CASE
        WHEN bare = $code THEN 0
        WHEN folded = ' ' || $text || ' ' THEN 1
        WHEN starts_with(bare, $code) THEN 2
        WHEN starts_with(folded, ' ' || $text) THEN 3
        WHEN contains(folded, ' ' || $text) THEN 4
        ELSE 5
    END,
    patients DESC,
    kind,
    code
LIMIT $limit;
