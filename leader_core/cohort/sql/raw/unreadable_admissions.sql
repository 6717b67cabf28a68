-- A second look at a damaged ADMISSIONS table: ids and times that cannot be read. A discharge that is unreadable or
-- before admission is left out, and the visit stays.
INSERT INTO unreadable_cells
SELECT $table AS source_table, c.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (
    SELECT r.record, unnest([
        bad_cell('subject_id', r.subject_id, unreadable_number(r.subject_id), 'unreadable patient or admission id'),
        bad_cell('hadm_id', r.hadm_id, unreadable_number(r.hadm_id), 'unreadable patient or admission id'),
        bad_cell('admittime', r.admittime, moment(r.admittime) IS NULL, 'missing or unreadable admission time'),
        bad_cell('dischtime', r.dischtime, unreadable_moment(r.dischtime), 'unreadable discharge time'),
        bad_cell('dischtime', r.dischtime, moment(r.dischtime) < moment(r.admittime), 'discharge before admission')
    ]) AS cell
    FROM (SELECT row_number() OVER () AS record, * FROM raw_file) AS r
) AS c
WHERE c.cell IS NOT NULL;
