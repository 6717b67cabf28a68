-- Patients and visits before and after each filter: the first thing to look at when two cohorts differ in size.
CREATE TABLE attrition AS
SELECT
    l.step,
    l.filter,
    count(DISTINCT f.patient_id) FILTER (coalesce(f.failed_at, 999) >= l.step) AS patients_before,
    count(DISTINCT f.patient_id) FILTER (coalesce(f.failed_at, 999) > l.step) AS patients_after,
    count(*) FILTER (coalesce(f.failed_at, 999) >= l.step) AS visits_before,
    count(*) FILTER (coalesce(f.failed_at, 999) > l.step) AS visits_after
FROM filter_steps AS l
CROSS JOIN visit_filters AS f
GROUP BY l.step, l.filter
ORDER BY l.step;
