-- A second look at a damaged table of codes: ids and sequence numbers that are no numbers, codes that are no ICD codes.
INSERT INTO unreadable_cells
SELECT $table AS source_table, r.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (SELECT row_number() OVER () AS record, * FROM raw_again($path, $columns)) AS r
LEFT JOIN icd_map AS m
    ON m.kind = $kind AND m.icd_code = filled(r.icd9_code) AND m.icd_version IS NOT DISTINCT FROM '9'
CROSS JOIN LATERAL (
    SELECT unnest([
        {
            'name': 'subject_id', 'value': r.subject_id,
            'reason': CASE WHEN unreadable_number(r.subject_id) THEN 'unreadable patient or admission id' END
        },
        {
            'name': 'hadm_id', 'value': r.hadm_id,
            'reason': CASE WHEN unreadable_number(r.hadm_id) THEN 'unreadable patient or admission id' END
        },
        {
            'name': 'seq_num', 'value': r.seq_num,
            'reason': CASE WHEN unreadable_number(r.seq_num) THEN 'unreadable sequence number' END
        },
        {'name': 'icd9_code', 'value': r.icd9_code, 'reason': m.reason}
    ]) AS cell
) AS c
WHERE
    (
        unreadable_number(r.subject_id) OR unreadable_number(r.hadm_id) OR unreadable_number(r.seq_num)
        OR m.reason IS NOT NULL
    )
    AND c.cell.reason IS NOT NULL;
