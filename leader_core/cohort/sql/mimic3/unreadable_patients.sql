-- A second look at a damaged PATIENTS table: ids and dates of birth that cannot be read.
INSERT INTO unreadable_cells
SELECT $table AS source_table, c.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (
    SELECT r.record, unnest([
        bad_cell('subject_id', r.subject_id, unreadable_number(r.subject_id), 'unreadable patient id'),
        bad_cell('dob', r.dob, unreadable_moment(r.dob), 'unreadable date of birth')
    ]) AS cell
    FROM (SELECT row_number() OVER () AS record, * FROM raw_file) AS r
) AS c
WHERE c.cell IS NOT NULL;
