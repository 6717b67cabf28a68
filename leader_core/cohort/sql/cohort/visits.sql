-- Kept visits in order of admission time (then id), numbered from 1 within the patient. Age in full years at
-- admission: both sources hide ages above 89 (MIMIC-III shifts birth some 300 years back, MIMIC-IV writes 91), and
-- 91 stands for them all: the median age that MIMIC-III's documentation gives for these patients. Nothing where
-- birth is not known. The year of the calendar, where a source tells it although its dates are shifted: eICU's year of
-- discharge; for MIMIC-IV the middle of the three years that it may be.
CREATE TABLE visits AS
WITH person AS (
    SELECT patient_id, born, anchor_age, anchor_year, anchor_group_from
    FROM raw_patients
    WHERE patient_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY patient_id ORDER BY record) = 1
),

aged AS (
    SELECT
        c.*,
        coalesce(
            c.age, date_sub('year', p.born, c.admitted_at), p.anchor_age + year(c.admitted_at) - p.anchor_year
        ) AS years,
        coalesce(
            c.calendar_year, p.anchor_group_from + 1 + year(c.admitted_at) - p.anchor_year
        ) AS calendar
    FROM visit_candidates AS c
    INNER JOIN visit_filters AS f ON f.record = c.record AND f.failed_at IS NULL
    INNER JOIN person AS p ON p.patient_id = c.patient_id
),

counted AS (
    SELECT
        k.visit_id,
        count(*) FILTER (i.kind = 'diagnosis') AS diagnoses,
        count(*) FILTER (i.kind = 'procedure') AS procedures,
        count(*) FILTER (i.kind = 'medication') AS medications
    FROM kept_visit_codes AS k
    INNER JOIN code_ids AS i ON i.code_id = k.code_id
    GROUP BY k.visit_id
)

SELECT
    a.visit_id,
    a.patient_id,
    CAST(
        row_number() OVER (PARTITION BY a.patient_id ORDER BY a.visit_order, a.admitted_at, a.visit_id) AS INTEGER
    ) AS visit_no,
    a.admitted_at,
    a.discharged_at,
    CAST(a.calendar AS INTEGER) AS calendar_year,
    CAST(CASE WHEN a.years > 89 THEN 91 WHEN a.years >= 0 THEN a.years END AS INTEGER) AS age,
    a.insurance,
    a.language,
    a.religion,
    a.marital_status,
    a.ethnicity,
    a.admission_type,
    CAST(coalesce(n.diagnoses, 0) AS INTEGER) AS diagnoses,
    CAST(coalesce(n.procedures, 0) AS INTEGER) AS procedures,
    CAST(coalesce(n.medications, 0) AS INTEGER) AS medications
FROM aged AS a
LEFT JOIN counted AS n ON n.visit_id = a.visit_id
ORDER BY a.patient_id, visit_no;
