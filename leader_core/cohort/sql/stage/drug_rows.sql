-- Rows of prescriptions: one row per visit and drug with its number of orders, and for rows that cannot be used their
-- number by reason. What the mapping says of a drug (diluent, unmapped, ...) is judged after the admission.
CREATE TEMP TABLE drug_rows AS
WITH numbered AS (
    SELECT
        whole_number(r.subject_id) AS patient_id,
        whole_number(r.hadm_id) AS visit_id,
        unreadable_number(r.subject_id) OR unreadable_number(r.hadm_id) AS unreadable_id,
        d.drug_id,
        r.rows
    FROM raw_prescriptions AS r
    INNER JOIN drugs AS d
        ON d.drug IS NOT DISTINCT FROM r.drug
        AND d.route IS NOT DISTINCT FROM r.route
        AND d.drug_type IS NOT DISTINCT FROM r.drug_type
        AND d.ndc IS NOT DISTINCT FROM r.ndc
),

judged AS (
    SELECT
        n.visit_id,
        n.drug_id,
        n.rows,
        CASE
            WHEN n.unreadable_id THEN 'unreadable patient or admission id'
            WHEN n.patient_id IS NULL OR n.visit_id IS NULL THEN 'missing patient or admission id'
            WHEN v.visit_id IS NULL THEN 'unknown admission'
            WHEN v.patient_id <> n.patient_id THEN 'admission of another patient'
            WHEN v.reason IS NOT NULL THEN 'admission set aside'
            ELSE o.reason
        END AS reason
    FROM numbered AS n
    LEFT JOIN known_visits AS v ON v.visit_id = n.visit_id
    LEFT JOIN drug_outcomes AS o ON o.drug_id = n.drug_id
)

SELECT
    reason,
    -- Unmapped drugs keep their identity to be listed and counted; other unusable rows only their number.
    CASE WHEN reason IS NULL OR reason = 'NDC not in the map' THEN visit_id END AS visit_id,
    CASE WHEN reason IS NULL OR reason IN ('unmapped drug', 'NDC not in the map') THEN drug_id END AS drug_id,
    CAST(sum(rows) AS BIGINT) AS rows
FROM judged
GROUP BY ALL;
