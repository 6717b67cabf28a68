-- Which condition rules each visit's diagnoses and procedures call up or lift, those that last counted at every later visit
-- too. Beginnings of codes are matched once for each code of the cohort, not once for each visit.
WITH matched AS MATERIALIZED (
    SELECT c.concept_id, b.beginning
    FROM concepts AS c
    INNER JOIN (SELECT DISTINCT beginning FROM rule_beginnings) AS b ON starts_with(c.code, b.beginning)
    WHERE c.kind IN ('diagnosis', 'procedure')
),

uses AS MATERIALIZED (
    SELECT DISTINCT m.concept_id, b.rule, b.use
    FROM matched AS m
    INNER JOIN rule_beginnings AS b ON b.beginning = m.beginning
),

findings AS (
    SELECT visit_id, concept_id FROM visit_codes
    UNION ALL
    SELECT later.visit_id, c.concept_id
    FROM visit_codes AS c
    INNER JOIN uses AS u ON u.concept_id = c.concept_id AND u.use = 'lasts'
    INNER JOIN visits AS later ON later.patient_id = c.patient_id AND later.visit_no > c.visit_no
)

SELECT f.visit_id, u.rule, u.use = 'lifts' AS lifts
FROM findings AS f
INNER JOIN uses AS u ON u.concept_id = f.concept_id AND u.use <> 'lasts';
