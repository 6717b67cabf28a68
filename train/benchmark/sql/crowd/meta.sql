-- What the file says of itself: another cohort than its source, of so many more patients and visits.
CREATE TABLE meta AS
SELECT
    m.key,
    CASE
        WHEN m.key IN ('patients', 'visits', 'single_visit_patients')
            THEN CAST(CAST(m.value AS BIGINT) * $copies AS VARCHAR)
        WHEN m.key = 'label' THEN m.value || ', repeated ' || $copies || ' times'
        WHEN m.key = 'digest' THEN sha256(m.value || ':' || $copies)
        ELSE m.value
    END AS value
FROM source.meta AS m;
