-- What entries say now: of each, its newest version that was not refused, unless that removed it. Newest first.
-- How many versions there are and when the first was written come with it; patient, visit and id narrow the list.
WITH numbered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY entry_id ORDER BY state = 'refused', version DESC) AS recency,
        count(*) OVER (PARTITION BY entry_id) AS versions,
        count(*) FILTER (state = 'refused') OVER (PARTITION BY entry_id) AS refused,
        min(written_at) OVER (PARTITION BY entry_id) AS created_at,
        max(version) OVER (PARTITION BY entry_id) AS newest
    FROM entries
    WHERE
        kind = $kind
        AND ($entry_id IS NULL OR entry_id = $entry_id)
        AND ($patient_id IS NULL OR patient_id = $patient_id)
)

SELECT
    entry_id, version, state, based_on, patient_id, visit_id, name, body, tags, author, written_at,
    created_at, versions, refused, newest
FROM numbered
WHERE recency = 1 AND state = 'accepted'
ORDER BY written_at DESC, entry_id;
