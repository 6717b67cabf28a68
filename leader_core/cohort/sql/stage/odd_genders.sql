-- Genders other than F and M with their patients: a hospital's own word, or a damaged cell.
SELECT gender, count(*) AS patients
FROM raw_patients
WHERE gender NOT IN ('F', 'M')
GROUP BY gender
ORDER BY patients DESC, gender;
