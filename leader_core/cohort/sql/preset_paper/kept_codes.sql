-- Preset paper: the most frequent codes over all visits, as published: 300 medication classes, 2,000 diagnoses, and
-- for MIMIC-IV 1,001 procedures (the published slice includes its end); those of other sources are not cut. Ties go
-- by code.
CREATE TEMP TABLE kept_codes AS
WITH counted AS (
    SELECT i.code_id, i.kind, i.code, count(*) AS visits
    FROM usable_codes AS u
    INNER JOIN code_ids AS i ON i.code_id = u.code_id
    GROUP BY i.code_id, i.kind, i.code
),

ranked AS (
    SELECT code_id, kind, code, row_number() OVER (PARTITION BY kind ORDER BY visits DESC, code) AS place
    FROM counted
)

SELECT code_id, kind, code
FROM ranked
WHERE
    (kind = 'medication' AND place <= 300)
    OR (kind = 'diagnosis' AND place <= 2000)
    OR (kind = 'procedure' AND ($source != 'mimic4' OR place <= 1001));
