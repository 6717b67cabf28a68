-- A second look at a damaged PATIENTS table: ids and dates of birth that cannot be read.
INSERT INTO unreadable_cells
SELECT $table AS source_table, r.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (SELECT row_number() OVER () AS record, * FROM raw_again($path, $columns)) AS r
CROSS JOIN LATERAL (
    SELECT unnest([
        {
            'name': 'subject_id', 'value': r.subject_id,
            'reason': CASE WHEN unreadable_number(r.subject_id) THEN 'unreadable patient id' END
        },
        {
            'name': 'dob', 'value': r.dob,
            'reason': CASE WHEN unreadable_moment(r.dob) THEN 'unreadable date of birth' END
        }
    ]) AS cell
) AS c
WHERE c.cell.reason IS NOT NULL;
