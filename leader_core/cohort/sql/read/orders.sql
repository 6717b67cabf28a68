-- The drug strings behind each medication of one visit; the patient is looked up first because orders are stored by
-- it.
SELECT visit_id, code, drug, route, orders
FROM orders
WHERE
    patient_id = (SELECT v.patient_id FROM visits AS v WHERE v.visit_id = $visit_id)
    AND visit_id = $visit_id
ORDER BY code, orders DESC, drug, route;
