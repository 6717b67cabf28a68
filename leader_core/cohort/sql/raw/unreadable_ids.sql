-- A second look at a damaged table: patient and admission ids that are no numbers, with the number of their record.
INSERT INTO unreadable_cells
SELECT $table AS source_table, c.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (
    SELECT r.record, unnest([
        bad_cell('subject_id', r.subject_id, unreadable_number(r.subject_id), 'unreadable patient or admission id'),
        bad_cell('hadm_id', r.hadm_id, unreadable_number(r.hadm_id), 'unreadable patient or admission id')
    ]) AS cell
    FROM (
        SELECT row_number() OVER () AS record, subject_id, hadm_id
        FROM raw_file
    ) AS r
    WHERE unreadable_number(r.subject_id) OR unreadable_number(r.hadm_id)
) AS c
WHERE c.cell IS NOT NULL;
