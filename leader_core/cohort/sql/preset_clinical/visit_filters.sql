-- Preset clinical: the first filter that each row of ADMISSIONS fails, or none. A visit without a procedure stays:
-- most admissions have none, and their patients get medicines all the same.
CREATE TEMP TABLE visit_filters AS
WITH has AS (
    SELECT
        u.visit_id,
        bool_or(k.kind = 'diagnosis') AS diagnosis,
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
        WHEN NOT coalesce(h.diagnosis, false) THEN 2
        WHEN NOT coalesce(h.medication, false) THEN 3
    END AS failed_at
FROM visit_candidates AS c
LEFT JOIN has AS h ON h.visit_id = c.visit_id;
