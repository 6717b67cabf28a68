-- What could not be read, the first 1,000 of each table and reason. Lines are counted from 1 with the header as line
-- 1; the reader numbers records, so lines that it set aside before a record are added to find the record's line
-- (cells with line ends inside quotes would shift the numbers after them).
CREATE TABLE rejects AS
WITH passed AS (
    SELECT
        source_table,
        rows,
        line - 2 - coalesce(sum(rows) OVER (
            PARTITION BY source_table ORDER BY line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS records_before
    FROM unreadable_lines
),

cells AS (
    SELECT
        c.source_table,
        1 + c.record + coalesce(
            (
                SELECT sum(p.rows)
                FROM passed AS p
                WHERE p.source_table = c.source_table AND p.records_before < c.record
            ), 0
        ) AS line,
        c."column",
        c.value,
        c.reason
    FROM (
        SELECT *
        FROM unreadable_cells
        QUALIFY row_number() OVER (PARTITION BY source_table, reason ORDER BY record) <= 1000
    ) AS c
),

everything AS (
    SELECT source_table, line, "column", value, reason FROM unreadable_lines
    UNION ALL
    SELECT source_table, line, "column", value, reason FROM cells
)

SELECT
    source_table,
    CAST(line AS BIGINT) AS line,
    "column",
    substr(value, 1, 500) AS value,
    reason
FROM everything
QUALIFY row_number() OVER (PARTITION BY source_table, reason ORDER BY line, "column") <= 1000
ORDER BY source_table, line, "column";
