-- A second look at a damaged DIAGNOSIS table: unit stays that are no numbers, and first codes that are no ICD codes.
INSERT INTO unreadable_cells
SELECT $table AS source_table, c.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (
    SELECT r.record, unnest([
        bad_cell(
            'patientunitstayid', r.patientunitstayid, unreadable_number(r.patientunitstayid),
            'unreadable patient or admission id'
        ),
        bad_cell('icd9code', r.icd9code, m.reason <> 'missing code', m.reason)
    ]) AS cell
    FROM (SELECT row_number() OVER () AS record, patientunitstayid, icd9code FROM raw_file) AS r
    LEFT JOIN eicu_codes AS e ON e.cell = filled(r.icd9code) AND e.position = 1
    LEFT JOIN icd_map AS m ON m.kind = $kind AND m.icd_code = e.code AND m.icd_version = e.version
) AS c
WHERE c.cell IS NOT NULL;
