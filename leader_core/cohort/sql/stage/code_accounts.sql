-- Where every row of diagnoses and procedures went: counted as soon as the filters are known, so that these rows need
-- not be held while the cohort is written.
CREATE TEMP TABLE code_accounts AS
WITH outcomes AS (
    SELECT
        CASE i.kind WHEN 'diagnosis' THEN 'diagnoses_icd' ELSE 'procedures_icd' END AS source_table,
        CASE
            WHEN i.reason IS NOT NULL THEN i.reason
            WHEN l.label IS NOT NULL THEN l.label
            WHEN k.code_id IS NULL THEN 'code not among the most frequent'
            ELSE 'kept'
        END AS reason,
        -- Of a code written several times in one visit, one row is kept.
        CASE WHEN i.reason IS NULL THEN 1 ELSE i.rows END AS rows
    FROM icd_rows AS i
    LEFT JOIN visit_filters AS f ON f.visit_id = i.visit_id AND f.failed_at IS DISTINCT FROM 1
    LEFT JOIN filter_steps AS l ON l.step = f.failed_at
    LEFT JOIN kept_codes AS k ON k.code_id = i.code_id

    UNION ALL

    SELECT
        CASE kind WHEN 'diagnosis' THEN 'diagnoses_icd' ELSE 'procedures_icd' END AS source_table,
        'duplicate code in the visit' AS reason,
        sum(rows - 1) AS rows
    FROM icd_rows
    WHERE reason IS NULL
    GROUP BY kind
)

SELECT source_table, reason, sum(rows) AS rows
FROM outcomes
GROUP BY source_table, reason;
