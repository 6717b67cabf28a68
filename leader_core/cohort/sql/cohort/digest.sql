-- The cohort's content as one text a table, to be hashed: equal content gives equal text whatever the order in which
-- it was written. Patients are hashed one by one first, so that no text grows with the cohort squared.
WITH codes AS (
    SELECT
        visit_id,
        string_agg(kind[1] || code, ' ' ORDER BY kind, position) AS codes
    FROM visit_codes
    GROUP BY visit_id
),

visit_texts AS (
    SELECT
        v.patient_id,
        v.visit_no,
        concat_ws(
            '|', v.visit_id, v.visit_no, epoch_us(v.admitted_at), coalesce(epoch_us(v.discharged_at), -1),
            coalesce(v.age, -1), coalesce(v.insurance, ''), coalesce(v.language, ''), coalesce(v.religion, ''),
            coalesce(v.marital_status, ''), coalesce(v.ethnicity, ''), coalesce(v.admission_type, ''), c.codes
        ) AS text
    FROM visits AS v
    LEFT JOIN codes AS c ON c.visit_id = v.visit_id
),

patient_texts AS (
    SELECT
        p.patient_id,
        sha256(
            concat_ws('|', p.patient_id, coalesce(p.gender, ''), p.split)
            || chr(10) || string_agg(t.text, chr(10) ORDER BY t.visit_no)
        ) AS text
    FROM patients AS p
    INNER JOIN visit_texts AS t ON t.patient_id = p.patient_id
    GROUP BY p.patient_id, p.gender, p.split
)

SELECT 1 AS part, sha256(coalesce(string_agg(text, chr(10) ORDER BY patient_id), '')) AS digest FROM patient_texts
UNION ALL
SELECT
    2 AS part,
    sha256(coalesce(string_agg(concat_ws('|', kind, code, title), chr(10) ORDER BY kind, code), '')) AS digest
FROM concepts
UNION ALL
SELECT
    3 AS part,
    sha256(
        coalesce(
            string_agg(
                concat_ws('|', code_a, code_b, severity, source, mechanism, effect, management, evidence),
                chr(10) ORDER BY code_a, code_b, severity, source
            ), ''
        )
    ) AS digest
FROM interactions
ORDER BY part;
