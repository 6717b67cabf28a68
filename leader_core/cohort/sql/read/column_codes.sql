-- The codes of one kind of a split's patients as concept numbers, in the order of their visits.
SELECT c.concept_id
FROM visit_codes AS c
WHERE
    c.kind = $kind
    AND ($split = 'all' OR c.patient_id IN (SELECT p.patient_id FROM patients AS p WHERE p.split = $split))
ORDER BY c.row_no;
