-- The newest version of each kind of error, in the order in which they were first written.
SELECT
    kind_id,
    version,
    name,
    meaning,
    removed,
    author,
    written_at
FROM error_kinds
QUALIFY row_number() OVER (PARTITION BY kind_id ORDER BY version DESC) = 1
ORDER BY min(written_at) OVER (PARTITION BY kind_id), kind_id;
