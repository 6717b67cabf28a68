-- Readers of raw text, shared by every staging table.
-- raw_csv: every cell as text, so that leading zeros of codes survive and no type is guessed; a line that is no CSV
--   record of the header's width, or not UTF-8, is set aside in reject_errors instead of ending the run.
-- missing_word: what other programs write for nothing; the same words as `MISSING_WORDS` of sources.py.
-- filled: trimmed text, and nothing where only blanks or such a word stand.
-- whole_number: '142345' and '142345.0' are numbers, '1.5', '1e5' and '0x1f' are not (a plain cast takes them all).
CREATE TEMP MACRO raw_csv(files, cells) AS TABLE
    SELECT * FROM read_csv(
        files, columns = cells, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
        store_rejects = true, rejects_limit = 0
    );

CREATE TEMP MACRO missing_word(cell) AS coalesce(
    trim(cell) IN (
        '\N', 'NULL', 'null', 'Null', '(null)', 'None', 'nan', 'NaN', 'NAN', 'NA', 'N/A', 'n/a', '#N/A', '<NA>', 'NaT'
    ), false
);

CREATE TEMP MACRO filled(cell) AS CASE WHEN NOT missing_word(cell) THEN nullif(trim(cell), '') END;

CREATE TEMP MACRO whole_number(cell) AS
    CASE
        WHEN CAST(TRY_CAST(cell AS BIGINT) AS VARCHAR) = cell THEN TRY_CAST(cell AS BIGINT)
        WHEN regexp_full_match(trim(cell), '[0-9]+([.]0*)?') THEN TRY_CAST(regexp_extract(cell, '[0-9]+') AS BIGINT)
    END;

-- Given, but no number.
CREATE TEMP MACRO unreadable_number(cell) AS
    CASE WHEN whole_number(cell) IS NULL THEN filled(cell) IS NOT NULL ELSE false END;

-- A date as a spreadsheet writes it. Which of 5/1/2160 is the day stands in the variable `day_first`, decided for a whole
-- table (date_order.sql); dots are the German way and always have the day first.
CREATE TEMP MACRO rewritten_moment(cell) AS
    CASE
        WHEN regexp_matches(cell, '^[0-9]{1,2}[/-][0-9]{1,2}[/-][0-9]{4}')
            THEN CASE
                WHEN getvariable('day_first') = 'yes'
                    THEN try_strptime(
                        replace(cell, '-', '/'),
                        ['%d/%m/%Y %H:%M:%S', '%d/%m/%Y %H:%M', '%d/%m/%Y', '%d/%m/%Y %I:%M:%S %p', '%d/%m/%Y %I:%M %p']
                    )
                WHEN getvariable('day_first') = 'no'
                    THEN try_strptime(
                        replace(cell, '-', '/'),
                        ['%m/%d/%Y %H:%M:%S', '%m/%d/%Y %H:%M', '%m/%d/%Y', '%m/%d/%Y %I:%M:%S %p', '%m/%d/%Y %I:%M %p']
                    )
            END
        WHEN regexp_matches(cell, '^[0-9]{1,2}[.][0-9]{1,2}[.][0-9]{4}')
            THEN try_strptime(cell, ['%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M', '%d.%m.%Y'])
        WHEN regexp_matches(cell, '[A-Za-z]{3}')
            THEN try_strptime(
                cell,
                [
                    '%d-%b-%Y %H:%M:%S', '%d-%b-%Y %H:%M', '%d-%b-%Y', '%d %b %Y %H:%M:%S', '%d %b %Y %H:%M', '%d %b %Y',
                    '%d%b%Y:%H:%M:%S', '%d%b%Y %H:%M:%S', '%d%b%Y'
                ]
            )
    END;

-- A moment between 1750 and 2300: MIMIC shifts dates into 1800 to 2214; anything else is a damaged cell.
CREATE TEMP MACRO moment(cell) AS
    CASE
        WHEN TRY_CAST(trim(cell) AS TIMESTAMP) BETWEEN TIMESTAMP '1750-01-01' AND TIMESTAMP '2300-01-01'
            THEN TRY_CAST(trim(cell) AS TIMESTAMP)
        WHEN rewritten_moment(trim(cell)) BETWEEN TIMESTAMP '1750-01-01' AND TIMESTAMP '2300-01-01'
            THEN rewritten_moment(trim(cell))
    END;

CREATE TEMP MACRO unreadable_moment(cell) AS filled(cell) IS NOT NULL AND moment(cell) IS NULL;

-- F or M, written out or not; another word as it is.
CREATE TEMP MACRO sex(cell) AS
    CASE upper(filled(cell)) WHEN 'FEMALE' THEN 'F' WHEN 'MALE' THEN 'M' ELSE upper(filled(cell)) END;

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
