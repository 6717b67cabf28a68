-- What annotators say of visits now: of each visit and annotator the newest version, unless that took it back.
WITH latest AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY visit_id, author ORDER BY version DESC) AS recency
    FROM annotations
    WHERE $visit_id IS NULL OR visit_id = $visit_id
)

SELECT
    visit_id,
    patient_id,
    author,
    kinds,
    version,
    written_at
FROM latest
WHERE recency = 1 AND kinds IS NOT NULL
ORDER BY written_at DESC, visit_id, author;
