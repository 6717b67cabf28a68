-- Admissions before the patient was born: the age is unknown then, and the cell is listed.
INSERT INTO unreadable_cells
SELECT
    'admissions' AS source_table,
    a.record,
    'admittime' AS "column",
    CAST(a.admitted_at AS VARCHAR) AS value,
    'birth after admission' AS reason
FROM raw_admissions AS a
INNER JOIN (
    SELECT patient_id, born, anchor_age, anchor_year
    FROM raw_patients
    WHERE patient_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY patient_id ORDER BY record) = 1
) AS p ON p.patient_id = a.patient_id
WHERE coalesce(a.admitted_at < p.born, p.anchor_age + year(a.admitted_at) < p.anchor_year, false);
