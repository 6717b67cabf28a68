-- A second look at a damaged ADMISSIONS table: ids and times that cannot be read. A discharge that is unreadable or
-- before admission is left out, and the visit stays.
INSERT INTO unreadable_cells
SELECT $table AS source_table, r.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (SELECT row_number() OVER () AS record, * FROM raw_again($path, $columns)) AS r
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
            'name': 'admittime', 'value': r.admittime,
            'reason': CASE WHEN moment(r.admittime) IS NULL THEN 'missing or unreadable admission time' END
        },
        {
            'name': 'dischtime', 'value': r.dischtime,
            'reason': CASE
                WHEN unreadable_moment(r.dischtime) THEN 'unreadable discharge time'
                WHEN moment(r.dischtime) < moment(r.admittime) THEN 'discharge before admission'
            END
        }
    ]) AS cell
) AS c
WHERE c.cell.reason IS NOT NULL;
