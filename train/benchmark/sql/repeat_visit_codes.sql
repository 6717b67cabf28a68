-- The diagnoses of those visits, which the analysis groups by; nothing else reads the copies' codes.
INSERT INTO visit_codes
SELECT c.* REPLACE (c.visit_id + n.copy * $step AS visit_id, c.patient_id + n.copy * $step AS patient_id)
FROM visit_codes AS c
CROSS JOIN (SELECT unnest(generate_series(1, $copies)) AS copy) AS n
WHERE c.kind = 'diagnosis';
