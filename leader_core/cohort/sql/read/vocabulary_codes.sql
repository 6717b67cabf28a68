-- The distinct codes of one kind that a split's patients have, sorted.
SELECT c.code
FROM concepts AS c
WHERE
    c.kind = $kind
    AND c.concept_id IN (
        SELECT pc.concept_id
        FROM patient_codes AS pc
        INNER JOIN patients AS p ON p.patient_id = pc.patient_id
        WHERE $split = 'all' OR p.split = $split
    )
ORDER BY c.code;
