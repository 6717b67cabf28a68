-- Every version of one entry, oldest first, refused ones among them.
SELECT
    entry_id, version, state, based_on, patient_id, visit_id, name, body, tags, author, written_at
FROM entries
WHERE kind = $kind AND entry_id = $entry_id
ORDER BY version;
