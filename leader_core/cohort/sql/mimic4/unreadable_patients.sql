-- A second look at a damaged PATIENTS table: ids and anchor years that cannot be read.
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
            'name': 'anchor_age', 'value': r.anchor_age,
            'reason': CASE WHEN unreadable_number(r.anchor_age) THEN 'unreadable anchor age' END
        },
        {
            'name': 'anchor_year', 'value': r.anchor_year,
            'reason': CASE WHEN unreadable_number(r.anchor_year) THEN 'unreadable anchor year' END
        }
    ]) AS cell
) AS c
WHERE c.cell.reason IS NOT NULL;
