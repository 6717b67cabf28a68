-- One patient's codes, visit by visit.
SELECT visit_id, kind, code
FROM visit_codes
WHERE patient_id = $patient_id
ORDER BY visit_no, kind, position;
