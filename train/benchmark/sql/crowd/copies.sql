-- The repetitions and the offset each adds to the ids: more than any id of the source.
CREATE TEMP TABLE copies AS
SELECT
    copy,
    copy * (SELECT CAST(10 ** ceil(log10(max(patient_id) + 1)) AS BIGINT) FROM source.patients) AS patient_shift,
    copy * (SELECT CAST(10 ** ceil(log10(max(visit_id) + 1)) AS BIGINT) FROM source.visits) AS visit_shift,
    copy * (SELECT count(*) FROM source.visit_codes) AS row_shift
FROM range($copies) AS r (copy);
