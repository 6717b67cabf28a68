-- All visits of a split's patients in order, one row each, with the profile as text ('' where not recorded) and the
-- number of codes of each kind.
SELECT
    v.visit_id, v.patient_id, v.visit_no, coalesce(v.age, -1) AS age, coalesce(p.gender, '') AS gender,
    coalesce(v.insurance, '') AS insurance, coalesce(v.language, '') AS language,
    coalesce(v.religion, '') AS religion, coalesce(v.marital_status, '') AS marital_status,
    coalesce(v.ethnicity, '') AS ethnicity, coalesce(v.admission_type, '') AS admission_type,
    v.visit_no = p.visits AS is_last, v.diagnoses, v.procedures, v.medications,
    v.admitted_at, v.discharged_at
FROM visits AS v
INNER JOIN patients AS p ON p.patient_id = v.patient_id
WHERE $split = 'all' OR p.split = $split
ORDER BY v.patient_id, v.visit_no;
