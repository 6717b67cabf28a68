-- Their visits, under other ids.
INSERT INTO visits
SELECT v.* REPLACE (v.visit_id + n.copy * $step AS visit_id, v.patient_id + n.copy * $step AS patient_id)
FROM visits AS v
CROSS JOIN (SELECT unnest(generate_series(1, $copies)) AS copy) AS n;
