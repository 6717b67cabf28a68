-- Readers of raw text, shared by every staging table.
-- raw_csv: every cell as text, so that leading zeros of codes survive and no type is guessed; a line that is no CSV
--   record of the header's width, or not UTF-8, is set aside in reject_errors instead of ending the run.
-- whole_number: '142345' and '142345.0' are numbers, '1.5', '1e5' and '0x1f' are not (a plain cast takes them all).
-- filled: trimmed text, and nothing where only blanks stand.
CREATE TEMP MACRO raw_csv(file, cells) AS TABLE
    SELECT * FROM read_csv(
        file, columns = cells, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
        store_rejects = true, rejects_limit = 0
    );

CREATE TEMP MACRO filled(cell) AS nullif(trim(cell), '');

CREATE TEMP MACRO whole_number(cell) AS
    CASE
        WHEN CAST(TRY_CAST(cell AS BIGINT) AS VARCHAR) = cell THEN TRY_CAST(cell AS BIGINT)
        WHEN regexp_full_match(trim(cell), '[0-9]+([.]0*)?') THEN TRY_CAST(regexp_extract(cell, '[0-9]+') AS BIGINT)
    END;

-- Given, but no number.
CREATE TEMP MACRO unreadable_number(cell) AS filled(cell) IS NOT NULL AND whole_number(cell) IS NULL;

-- A moment between 1750 and 2300: MIMIC shifts dates into 1800 to 2214; anything else is a damaged cell.
CREATE TEMP MACRO moment(cell) AS
    CASE
        WHEN TRY_CAST(trim(cell) AS TIMESTAMP) BETWEEN TIMESTAMP '1750-01-01' AND TIMESTAMP '2300-01-01'
            THEN TRY_CAST(trim(cell) AS TIMESTAMP)
    END;

CREATE TEMP MACRO unreadable_moment(cell) AS filled(cell) IS NOT NULL AND moment(cell) IS NULL;

-- A cell that cannot be read, or nothing.
CREATE TEMP MACRO bad_cell(column_name, cell, bad, why) AS
    CASE WHEN bad THEN struct_pack(name := column_name, value := cell, reason := why) END;

-- An NDC as eleven digits, and nothing for zero or what is no NDC: what normalise_ndc of ndc.py does, row by row.
CREATE TEMP MACRO normal_ndc(cell) AS
    nullif(
        CASE
            WHEN regexp_full_match(cell, '[0-9]{11}') THEN cell
            WHEN regexp_full_match(trim(cell), '[0-9]{1,11}([.]0)?')
                THEN lpad(split_part(trim(cell), '.', 1), 11, '0')
            WHEN regexp_full_match(trim(cell), '[0-9]{1,5}-[0-9]{1,4}-[0-9]{1,2}')
                THEN
                    lpad(split_part(trim(cell), '-', 1), 5, '0')
                    || lpad(split_part(trim(cell), '-', 2), 4, '0')
                    || lpad(split_part(trim(cell), '-', 3), 2, '0')
        END,
        '00000000000'
    );

-- Lower-case words without accents, a blank before and after each.
CREATE TEMP MACRO folded(words) AS
    ' ' || trim(regexp_replace(strip_accents(lower(words)), '[^a-z0-9]+', ' ', 'g')) || ' ';
