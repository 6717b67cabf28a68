-- The drugs ordered in the visits of a split, with the visit's main diagnosis.
SELECT v.patient_id, v.visit_no, o.code, o.drug, o.route, c.code AS main
FROM orders AS o
INNER JOIN visits AS v ON v.visit_id = o.visit_id
INNER JOIN patients AS p ON p.patient_id = o.patient_id
LEFT JOIN visit_codes AS d ON d.visit_id = v.visit_id AND d.kind = 'diagnosis' AND d.position = 1
LEFT JOIN concepts AS c ON c.concept_id = d.concept_id
WHERE p.split = $split
GROUP BY ALL
ORDER BY ALL;
