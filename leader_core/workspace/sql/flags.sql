-- For each patient with a star or a note: whether there is a star, and how many notes.
WITH latest AS (
    SELECT kind, patient_id, deleted, row_number() OVER (PARTITION BY kind, key ORDER BY revision DESC) AS recency
    FROM entries
    WHERE kind IN ('note', 'star') AND refused = 0 AND patient_id IS NOT NULL
)

SELECT
    patient_id,
    max(CASE WHEN kind = 'star' THEN 1 ELSE 0 END) AS starred,
    sum(CASE WHEN kind = 'note' THEN 1 ELSE 0 END) AS notes
FROM latest
WHERE recency = 1 AND deleted = 0
GROUP BY patient_id
ORDER BY patient_id;
