-- What a worklist marks: for each patient with a star or a note, whether there is a star and how many notes.
WITH latest AS (
    SELECT patient_id, state, row_number() OVER (PARTITION BY entry_id ORDER BY version DESC) AS recency
    FROM entries
    WHERE kind = 'note' AND state <> 'refused'
),

noted AS (
    SELECT patient_id, count(*) AS notes FROM latest
    WHERE recency = 1 AND state = 'accepted' AND patient_id IS NOT NULL GROUP BY patient_id
)

SELECT
    coalesce(stars.patient_id, noted.patient_id) AS patient_id,
    stars.patient_id IS NOT NULL AS starred,
    coalesce(noted.notes, 0) AS notes
FROM stars FULL JOIN noted ON stars.patient_id = noted.patient_id
ORDER BY 1;
