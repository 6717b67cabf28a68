-- What the cohort's digest reads of visits: each as one text, in order, with how many codes of each kind it has.
SELECT
    concat_ws(
        '|', v.patient_id, coalesce(p.gender, ''), p.split, v.visit_id, v.visit_no, epoch_us(v.admitted_at),
        coalesce(epoch_us(v.discharged_at), -1), coalesce(v.age, -1), coalesce(v.insurance, ''),
        coalesce(v.language, ''), coalesce(v.religion, ''), coalesce(v.marital_status, ''), coalesce(v.ethnicity, ''),
        coalesce(v.admission_type, ''), v.diagnoses, v.medications, v.procedures
    ) AS text
FROM visits AS v
INNER JOIN patients AS p ON p.patient_id = v.patient_id
ORDER BY v.patient_id, v.visit_no;
