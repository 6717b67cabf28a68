-- The distinct combinations of profile values of a split's visits; few enough to be counted outside.
SELECT DISTINCT
    v.age, p.gender, v.insurance, v.language, v.religion, v.marital_status, v.ethnicity, v.admission_type
FROM visits AS v
INNER JOIN patients AS p ON p.patient_id = v.patient_id
WHERE $split = 'all' OR p.split = $split;
