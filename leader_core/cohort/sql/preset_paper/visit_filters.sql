-- Preset paper: the first filter that each row of ADMISSIONS fails, or none. The two-admission filter stands before
-- the mapping and the inner join, as published; that is why some kept patients end with a single visit.
CREATE TEMP TABLE visit_filters AS
WITH prescribed AS (
    SELECT v.patient_id, count(DISTINCT v.visit_id) AS admissions
    FROM drug_rows AS r
    INNER JOIN known_visits AS v ON v.visit_id = r.visit_id
    WHERE r.reason IS NULL OR r.reason = 'NDC not in the map'
    GROUP BY v.patient_id
),

has AS (
    SELECT
        u.visit_id,
        bool_or(k.kind = 'diagnosis') AS diagnosis,
        bool_or(k.kind = 'procedure') AS procedure,
        bool_or(k.kind = 'medication') AS medication
    FROM usable_codes AS u
    INNER JOIN kept_codes AS k ON k.code_id = u.code_id
    GROUP BY u.visit_id
)

SELECT
    c.record,
    c.visit_id,
    c.patient_id,
    CASE
        WHEN c.reason IS NOT NULL THEN 1
        WHEN coalesce(p.admissions, 0) < 2 THEN 2
        WHEN NOT coalesce(h.medication, false) THEN 3
        WHEN NOT coalesce(h.diagnosis, false) THEN 4
        WHEN NOT coalesce(h.procedure, false) THEN 5
    END AS failed_at
FROM visit_candidates AS c
LEFT JOIN prescribed AS p ON p.patient_id = c.patient_id
LEFT JOIN has AS h ON h.visit_id = c.visit_id;
