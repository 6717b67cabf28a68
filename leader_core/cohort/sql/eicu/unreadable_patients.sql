-- A second look at a damaged PATIENT table: ids that cannot be read.
INSERT INTO unreadable_cells
SELECT $table AS source_table, c.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (
    SELECT r.record, unnest([
        bad_cell(
            'patientunitstayid', r.patientunitstayid, unreadable_number(r.patientunitstayid),
            'unreadable patient or admission id'
        ),
        bad_cell(
            'patienthealthsystemstayid', r.patienthealthsystemstayid, unreadable_number(r.patienthealthsystemstayid),
            'unreadable patient or admission id'
        ),
        bad_cell(
            'uniquepid', r.uniquepid,
            filled(r.uniquepid) IS NOT NULL
            AND NOT regexp_full_match(trim(r.uniquepid), '[0-9]{1,3}-[0-9]{1,6}|[0-9]+'),
            'unreadable patient or admission id'
        )
    ]) AS cell
    FROM (SELECT row_number() OVER () AS record, * FROM raw_file) AS r
) AS c
WHERE c.cell IS NOT NULL;
