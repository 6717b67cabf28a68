-- The codes of each visit in the source's order (medications, which have none, by code), positions counted from 1.
-- Stored patient by patient, with the patient's id, so that one case is read without a pass over the whole table.
CREATE TABLE visit_codes AS
SELECT
    k.visit_id,
    k.kind,
    k.code,
    CAST(
        row_number() OVER (PARTITION BY k.visit_id, k.kind ORDER BY k.sequence NULLS LAST, k.code) AS INTEGER
    ) AS position,
    k.patient_id,
    v.visit_no,
    c.concept_id
FROM kept_visit_codes AS k
INNER JOIN visits AS v ON v.visit_id = k.visit_id
INNER JOIN concepts AS c ON c.kind = k.kind AND c.code = k.code
ORDER BY k.patient_id, v.visit_no, k.kind, position;
