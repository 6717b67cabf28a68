-- Rows of diagnoses and procedures: one row per visit and code with how often it was written, and for rows that cannot
-- be used their number by reason (no visit and no code then). The system travels inside the code (ICD9:..., ICD10:...).
CREATE TEMP TABLE icd_rows AS
WITH notations AS (
    SELECT m.kind, m.icd_code, m.icd_version, m.reason, i.code_id
    FROM icd_map AS m
    LEFT JOIN code_ids AS i ON i.kind = m.kind AND i.code = m.code
),

judged AS (
    SELECT
        r.kind,
        r.visit_id,
        m.code_id,
        r.sequence,
        CASE
            WHEN r.unreadable_id THEN 'unreadable patient or admission id'
            WHEN r.patient_id IS NULL OR r.visit_id IS NULL THEN 'missing patient or admission id'
            WHEN v.visit_id IS NULL THEN 'unknown admission'
            WHEN v.patient_id <> r.patient_id THEN 'admission of another patient'
            WHEN v.reason IS NOT NULL THEN 'admission set aside'
            WHEN r.icd_code IS NULL THEN 'missing code'
            ELSE m.reason
        END AS reason
    FROM raw_codes AS r
    LEFT JOIN known_visits AS v ON v.visit_id = r.visit_id
    LEFT JOIN notations AS m
        ON m.kind = r.kind AND m.icd_code = r.icd_code AND m.icd_version IS NOT DISTINCT FROM r.icd_version
)

SELECT
    kind,
    reason,
    CASE WHEN reason IS NULL THEN visit_id END AS visit_id,
    CASE WHEN reason IS NULL THEN code_id END AS code_id,
    min(sequence) AS sequence,
    count(*) AS rows
FROM judged
GROUP BY ALL;
