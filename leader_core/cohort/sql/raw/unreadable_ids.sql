-- A second look at a damaged table: patient and admission ids that are no numbers, with the number of their record.
INSERT INTO unreadable_cells
SELECT $table AS source_table, r.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (
    SELECT row_number() OVER () AS record, subject_id, hadm_id
    FROM raw_again($path, $columns)
) AS r
CROSS JOIN LATERAL (
    SELECT unnest([
        {
            'name': 'subject_id', 'value': r.subject_id,
            'reason': CASE WHEN unreadable_number(r.subject_id) THEN 'unreadable patient or admission id' END
        },
        {
            'name': 'hadm_id', 'value': r.hadm_id,
            'reason': CASE WHEN unreadable_number(r.hadm_id) THEN 'unreadable patient or admission id' END
        }
    ]) AS cell
) AS c
WHERE (unreadable_number(r.subject_id) OR unreadable_number(r.hadm_id)) AND c.cell.reason IS NOT NULL;
