-- One row an admission that other tables may refer to, with the reason why it is no visit (or none).
CREATE TEMP TABLE known_visits AS
SELECT visit_id, patient_id, reason
FROM visit_candidates
WHERE
    visit_id IS NOT NULL AND patient_id IS NOT NULL
    AND coalesce(reason NOT IN ('unreadable patient or admission id', $again), true);
