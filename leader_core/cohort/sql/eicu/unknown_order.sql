-- Patients with several hospital stays, and those of them whose stays the year of discharge and the age do not order.
SELECT count(*) AS patients, count(*) FILTER (orders < stays) AS unordered
FROM (
    SELECT patient_id, count(DISTINCT visit_id) AS stays, count(DISTINCT visit_order) AS orders
    FROM raw_admissions
    WHERE patient_id IS NOT NULL AND visit_id IS NOT NULL
    GROUP BY patient_id
)
WHERE stays > 1;
