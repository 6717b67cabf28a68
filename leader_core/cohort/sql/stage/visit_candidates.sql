-- Every row of ADMISSIONS with the reason why it cannot be a visit, or none. Discharge is optional; admission is not,
-- because visits are ordered by it, unless the source has no dates and orders them in another way.
CREATE TEMP TABLE visit_candidates AS
SELECT
    a.record,
    a.patient_id,
    a.visit_id,
    a.admitted_at,
    CASE WHEN NOT a.unreadable_discharge THEN a.discharged_at END AS discharged_at,
    a.insurance,
    a.language,
    a.religion,
    a.marital_status,
    a.ethnicity,
    a.admission_type,
    a.visit_order,
    a.age,
    a.calendar_year,
    CASE
        WHEN a.unreadable_id THEN 'unreadable patient or admission id'
        WHEN a.patient_id IS NULL OR a.visit_id IS NULL THEN 'missing patient or admission id'
        WHEN row_number() OVER (PARTITION BY a.visit_id ORDER BY a.record) > 1 THEN $again
        WHEN p.patient_id IS NULL THEN 'unknown patient'
        WHEN a.admitted_at IS NULL AND a.visit_order IS NULL THEN 'missing or unreadable admission time'
    END AS reason
FROM raw_admissions AS a
LEFT JOIN (SELECT DISTINCT patient_id FROM raw_patients WHERE NOT unreadable_id) AS p ON p.patient_id = a.patient_id;
