-- A second look at a damaged table: unit stays that are no numbers.
INSERT INTO unreadable_cells
SELECT
    $table AS source_table,
    r.record,
    'patientunitstayid' AS "column",
    r.patientunitstayid AS value,
    'unreadable patient or admission id' AS reason
FROM (SELECT row_number() OVER () AS record, patientunitstayid FROM raw_file) AS r
WHERE unreadable_number(r.patientunitstayid);
