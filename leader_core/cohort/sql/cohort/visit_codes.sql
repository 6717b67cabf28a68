-- The codes of each visit in the source's order (medications, which have none, by code), positions counted from 1.
-- One sort numbers all rows (`row_no`, from 0: patient, visit, kind, position); a position is the distance from where
-- its visit's kind begins. Stored in that order and with the patient's id, so that one case is read without a pass over
-- the whole table and a split comes back sorted.
CREATE TABLE visit_codes AS
WITH numbered AS (
    SELECT
        i.code_id,
        i.kind,
        i.code,
        c.concept_id,
        CAST(CASE i.kind WHEN 'diagnosis' THEN 0 WHEN 'medication' THEN 1 ELSE 2 END AS TINYINT) AS kind_no
    FROM code_ids AS i
    INNER JOIN concepts AS c ON c.kind = i.kind AND c.code = i.code
),

begins AS (
    SELECT
        visit_id,
        patient_id,
        visit_no,
        CAST(row_number() OVER (ORDER BY patient_id, visit_no) AS INTEGER) AS visit_row,
        sum(diagnoses + medications + procedures) OVER (ORDER BY patient_id, visit_no)
        - (diagnoses + medications + procedures) AS begins_at,
        diagnoses,
        medications
    FROM visits
),

sorted AS (
    SELECT
        b.visit_row,
        k.code_id,
        row_number() OVER (ORDER BY b.visit_row, n.kind_no, k.sequence NULLS LAST, k.code_id) - 1 AS row_no
    FROM kept_visit_codes AS k
    INNER JOIN begins AS b ON b.visit_id = k.visit_id
    INNER JOIN numbered AS n ON n.code_id = k.code_id
)

SELECT
    b.visit_id,
    n.kind,
    n.code,
    CAST(
        1 + s.row_no - b.begins_at
        - CASE n.kind WHEN 'diagnosis' THEN 0 WHEN 'medication' THEN b.diagnoses ELSE b.diagnoses + b.medications END
        AS INTEGER
    ) AS position,
    b.patient_id,
    b.visit_no,
    n.concept_id,
    s.row_no
FROM sorted AS s
INNER JOIN begins AS b ON b.visit_row = s.visit_row
INNER JOIN numbered AS n ON n.code_id = s.code_id
ORDER BY s.row_no;
