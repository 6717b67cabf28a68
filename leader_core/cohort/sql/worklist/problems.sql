-- The first-listed diagnoses of some visits, by patient; the patients are named too because codes are stored by them.
-- Conditions come before the chapters of $background (history, status, external causes).
SELECT
    vc.patient_id,
    list(c.title ORDER BY coalesce(list_position($background, c.chapter), 0), vc.position)[1:$most] AS titles
FROM visit_codes AS vc
INNER JOIN concepts AS c ON vc.concept_id = c.concept_id
WHERE
    vc.patient_id IN (SELECT unnest($patients))
    AND vc.visit_id IN (SELECT unnest($visits))
    AND vc.kind = 'diagnosis'
GROUP BY vc.patient_id;
