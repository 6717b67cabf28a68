-- What entries of one kind say now: of each, its newest revision that was not refused. Newest first. How many revisions
-- there are and when the first was written come with it; key and patient narrow the list, NULL leaves it whole.
WITH numbered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY key ORDER BY refused, revision DESC) AS recency,
        min(created_at) OVER (PARTITION BY key) AS first_written,
        count(*) OVER (PARTITION BY key) AS revisions,
        sum(refused) OVER (PARTITION BY key) AS refusals
    FROM entries
    WHERE kind = $kind AND ($key IS NULL OR key = $key) AND ($patient_id IS NULL OR patient_id = $patient_id)
)

SELECT
    key, revision, refused, deleted, patient_id, visit_id, author, created_at, body,
    first_written, revisions, refusals
FROM numbered
WHERE recency = 1 AND (deleted = 0 OR $deleted)
ORDER BY created_at DESC, key;
