-- One patient's visits, oldest first.
SELECT
    v.visit_id, v.visit_no, v.admitted_at, v.discharged_at, v.age, p.gender,
    v.insurance, v.language, v.religion, v.marital_status, v.ethnicity, v.admission_type
FROM visits AS v
INNER JOIN patients AS p ON p.patient_id = v.patient_id
WHERE v.patient_id = $patient_id
ORDER BY v.visit_no;
