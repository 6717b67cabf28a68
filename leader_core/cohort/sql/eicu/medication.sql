-- MEDICATION of eICU as read, equal orders of a visit counted: the drug's HICL number stands where other sources have the
-- NDC until names are looked up by it, and a cancelled order is a type of its own.
CREATE TEMP TABLE raw_prescriptions AS
SELECT
    CASE
        WHEN u.unit_stay IS NOT NULL THEN CAST(u.patient_id AS VARCHAR)
        WHEN m.unit_stay IS NOT NULL THEN '-1'
        ELSE m.patientunitstayid
    END AS subject_id,
    CASE
        WHEN u.unit_stay IS NOT NULL THEN CAST(u.visit_id AS VARCHAR)
        WHEN m.unit_stay IS NOT NULL THEN '-1'
        ELSE m.patientunitstayid
    END AS hadm_id,
    filled(m.drugname) AS drug,
    filled(m.routeadmin) AS route,
    CASE WHEN lower(trim(m.drugordercancelled)) IN ('yes', 'y', 'true', 't', '1') THEN 'CANCELLED' END AS drug_type,
    CAST(nullif(whole_number(m.drughiclseqno), 0) AS VARCHAR) AS ndc,
    count(*) AS rows,
    CAST(0 AS BIGINT) AS with_ndc
FROM (
    SELECT
        whole_number(patientunitstayid) AS unit_stay, patientunitstayid, drugname, routeadmin, drugordercancelled,
        drughiclseqno
    FROM raw_file
) AS m
LEFT JOIN unit_stays AS u ON u.unit_stay = m.unit_stay
GROUP BY ALL;
