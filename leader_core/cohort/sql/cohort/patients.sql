-- Patients with at least one kept visit. Split 'hash' depends on the seed and the patient id alone, by md5, which is
-- the same everywhere and for ever: a patient never changes split when the cohort grows. First 8 hex digits modulo 10: 0 to
-- 7 train, 8 validation, 9 test. Split 'published': in order of their ids the first 80 % train, the next 10 % validate
-- (both rounded down), the rest test.
CREATE TABLE patients AS
WITH kept AS (
    SELECT patient_id, count(*) AS visits
    FROM visit_filters
    WHERE failed_at IS NULL
    GROUP BY patient_id
),

person AS (
    SELECT patient_id, gender
    FROM raw_patients
    WHERE patient_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY patient_id ORDER BY record) = 1
),

placed AS (
    SELECT
        k.patient_id,
        p.gender,
        CAST(k.visits AS INTEGER) AS visits,
        CAST('0x' || substr(md5($seed || ':' || k.patient_id), 1, 8) AS BIGINT) % 10 AS tenth,
        row_number() OVER (ORDER BY k.patient_id) AS place,
        count(*) OVER () * 8 // 10 AS last_train,
        count(*) OVER () // 10 AS validating
    FROM kept AS k
    INNER JOIN person AS p ON p.patient_id = k.patient_id
)

SELECT
    patient_id,
    gender,
    visits,
    CASE
        WHEN $split = 'published' AND place <= last_train THEN 'train'
        WHEN $split = 'published' AND place <= last_train + validating THEN 'validation'
        WHEN $split = 'published' THEN 'test'
        WHEN tenth < 8 THEN 'train'
        WHEN tenth = 8 THEN 'validation'
        ELSE 'test'
    END AS split
FROM placed
ORDER BY patient_id;
