-- The codes of each visit in the source's order (medications, which have none, by code), positions counted from 1.
-- Stored patient by patient, with the patient's id, so that one case is read without a pass over the whole table.
CREATE TABLE visit_codes AS
WITH numbered AS (
    SELECT i.code_id, i.kind, i.code, c.concept_id
    FROM code_ids AS i
    INNER JOIN concepts AS c ON c.kind = i.kind AND c.code = i.code
),

placed AS (
    SELECT
        k.visit_id,
        k.patient_id,
        v.visit_no,
        k.code_id,
        row_number() OVER (
            PARTITION BY k.visit_id, n.kind ORDER BY k.sequence NULLS LAST, k.code_id
        ) AS position
    FROM kept_visit_codes AS k
    INNER JOIN visits AS v ON v.visit_id = k.visit_id
    INNER JOIN numbered AS n ON n.code_id = k.code_id
    ORDER BY k.patient_id, v.visit_no, n.kind, position
)

SELECT
    p.visit_id,
    n.kind,
    n.code,
    CAST(p.position AS INTEGER) AS position,
    p.patient_id,
    p.visit_no,
    n.concept_id
FROM placed AS p
INNER JOIN numbered AS n ON n.code_id = p.code_id;
