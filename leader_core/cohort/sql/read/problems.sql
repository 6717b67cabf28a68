-- The first-listed diagnoses of some visits, by patient; the patients are named too because codes are stored by them.
SELECT vc.patient_id, list(c.title ORDER BY vc.position) AS titles
FROM visit_codes AS vc
INNER JOIN concepts AS c ON vc.concept_id = c.concept_id
WHERE
    vc.patient_id IN (SELECT unnest($patients))
    AND vc.visit_id IN (SELECT unnest($visits))
    AND vc.kind = 'diagnosis'
    AND vc.position <= $most
GROUP BY vc.patient_id;
