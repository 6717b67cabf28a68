-- Where every row of every raw table went: rows kept plus rows dropped by reason are the rows read. A prescription is
-- kept when it stands behind a medication of a kept visit; a diagnosis or procedure when its code does.
CREATE TABLE accounting AS
WITH outcomes AS (
    SELECT source_table, reason, rows FROM unreadable_lines

    UNION ALL

    SELECT
        'patients' AS source_table,
        CASE
            WHEN r.unreadable_id THEN 'unreadable patient id'
            WHEN r.patient_id IS NULL THEN 'missing patient id'
            WHEN row_number() OVER (PARTITION BY r.patient_id ORDER BY r.record) > 1 THEN 'duplicate patient'
            WHEN p.patient_id IS NOT NULL THEN 'kept'
            WHEN a.patient_id IS NULL THEN 'patient without an admission'
            ELSE 'patient without a kept visit'
        END AS reason,
        1 AS rows
    FROM raw_patients AS r
    LEFT JOIN patients AS p ON p.patient_id = r.patient_id
    LEFT JOIN (SELECT DISTINCT patient_id FROM raw_admissions) AS a ON a.patient_id = r.patient_id

    UNION ALL

    SELECT
        'admissions' AS source_table,
        coalesce(c.reason, l.label, 'kept') AS reason,
        1 AS rows
    FROM visit_candidates AS c
    INNER JOIN visit_filters AS f ON f.record = c.record
    LEFT JOIN filter_steps AS l ON l.step = f.failed_at

    UNION ALL

    SELECT source_table, reason, rows FROM code_accounts

    UNION ALL

    SELECT
        'prescriptions' AS source_table,
        CASE
            WHEN r.reason IS NOT NULL THEN r.reason
            WHEN l.label IS NOT NULL THEN l.label
            WHEN k.drug_id IS NULL THEN 'code not among the most frequent'
            ELSE 'kept'
        END AS reason,
        r.rows
    FROM drug_rows AS r
    LEFT JOIN visit_filters AS f ON f.visit_id = r.visit_id AND f.failed_at IS DISTINCT FROM 1
    LEFT JOIN filter_steps AS l ON l.step = f.failed_at
    LEFT JOIN (
        SELECT DISTINCT c.drug_id
        FROM drug_codes AS c
        SEMI JOIN kept_codes AS q ON q.kind = 'medication' AND q.code = c.code
    ) AS k ON k.drug_id = r.drug_id

    UNION ALL

    SELECT
        CASE t.kind WHEN 'diagnosis' THEN 'd_icd_diagnoses' ELSE 'd_icd_procedures' END AS source_table,
        CASE
            WHEN t.icd_code IS NULL OR t.title IS NULL THEN 'missing code or title'
            WHEN row_number() OVER (PARTITION BY t.kind, t.icd_code, t.icd_version ORDER BY t.title) > 1
                THEN 'duplicate code'
            WHEN c.code IS NULL THEN 'code not in the cohort'
            ELSE 'kept'
        END AS reason,
        1 AS rows
    FROM hospital_titles AS t
    LEFT JOIN icd_map AS m
        ON m.kind = t.kind AND m.icd_code = t.icd_code AND m.icd_version IS NOT DISTINCT FROM t.icd_version
    LEFT JOIN concepts AS c ON c.kind = m.kind AND c.code = m.code
)

SELECT source_table, reason, CAST(sum(rows) AS BIGINT) AS rows
FROM outcomes
GROUP BY source_table, reason
HAVING sum(rows) > 0
ORDER BY source_table, reason <> 'kept', sum(rows) DESC, reason;
