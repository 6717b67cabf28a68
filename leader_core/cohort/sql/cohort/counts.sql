-- The sizes that a cohort is known by.
SELECT
    (SELECT count(*) FROM patients) AS patients,
    (SELECT count(*) FROM visits) AS visits,
    (SELECT count(*) FROM patients WHERE visits = 1) AS single_visit_patients,
    (SELECT count(*) FROM concepts WHERE kind = 'diagnosis') AS diagnoses,
    (SELECT count(*) FROM concepts WHERE kind = 'procedure') AS procedures,
    (SELECT count(*) FROM concepts WHERE kind = 'medication') AS medications;
