-- The cases to plant scores for: each patient's last visit.
SELECT
    v.visit_id,
    v.patient_id
FROM visits AS v
INNER JOIN patients AS p ON p.patient_id = v.patient_id AND p.visits = v.visit_no
ORDER BY v.visit_id
LIMIT $cases;
