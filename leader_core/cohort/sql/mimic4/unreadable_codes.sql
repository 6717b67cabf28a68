-- A second look at a damaged table of codes: ids and sequence numbers that are no numbers, codes that are no ICD
-- codes.
INSERT INTO unreadable_cells
SELECT $table AS source_table, c.record, c.cell.name AS "column", c.cell.value, c.cell.reason
FROM (
    SELECT r.record, unnest([
        bad_cell('subject_id', r.subject_id, unreadable_number(r.subject_id), 'unreadable patient or admission id'),
        bad_cell('hadm_id', r.hadm_id, unreadable_number(r.hadm_id), 'unreadable patient or admission id'),
        bad_cell('seq_num', r.seq_num, unreadable_number(r.seq_num), 'unreadable sequence number'),
        bad_cell('icd_code', concat_ws(' version ', r.icd_code, r.icd_version), m.reason <> 'missing code', m.reason)
    ]) AS cell
    FROM (SELECT row_number() OVER () AS record, * FROM raw_file) AS r
    LEFT JOIN icd_map AS m
        ON m.kind = $kind
        AND m.icd_code = nullif(trim(r.icd_code), '')
        AND m.icd_version IS NOT DISTINCT FROM filled(r.icd_version)
    WHERE
        unreadable_number(r.subject_id) OR unreadable_number(r.hadm_id) OR unreadable_number(r.seq_num)
        OR m.reason <> 'missing code'
) AS c
WHERE c.cell IS NOT NULL;
