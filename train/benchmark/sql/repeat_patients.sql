-- The same patients again under other ids, so that a small cohort becomes a large one.
INSERT INTO patients
SELECT p.* REPLACE (p.patient_id + n.copy * $step AS patient_id)
FROM patients AS p
CROSS JOIN (SELECT unnest(generate_series(1, $copies)) AS copy) AS n;
