-- Every code of the cohort with a readable title; a code that nobody knows is its own title (`titled` is false then).
-- `concept_id` counts kinds and codes in order, `visits` and `patients` say how many have the code; `folded` (the title)
-- and `also` (a class's drugs) are lower-case words without accents, for searching.
CREATE TABLE concepts AS
SELECT
    k.kind,
    k.code,
    t.system,
    coalesce(t.title, k.code) AS title,
    t.parent,
    t.chapter,
    t.title IS NOT NULL AS titled,
    CAST(row_number() OVER (ORDER BY k.kind, k.code) - 1 AS INTEGER) AS concept_id,
    CAST(k.visits AS INTEGER) AS visits,
    CAST(k.patients AS INTEGER) AS patients,
    folded(coalesce(t.title, '')) AS folded,
    folded(t.also) AS also
FROM (
    SELECT i.kind, i.code, c.visits, c.patients
    FROM (
        SELECT code_id, count(*) AS visits, count(DISTINCT patient_id) AS patients
        FROM kept_visit_codes
        GROUP BY code_id
    ) AS c
    INNER JOIN code_ids AS i ON i.code_id = c.code_id
) AS k
INNER JOIN concept_titles AS t ON t.kind = k.kind AND t.code = k.code
ORDER BY concept_id;
