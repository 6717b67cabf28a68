-- The same codes, each had by as many times more patients and visits.
CREATE TABLE concepts AS
SELECT k.* REPLACE (CAST(k.visits * $copies AS INTEGER) AS visits, CAST(k.patients * $copies AS INTEGER) AS patients)
FROM source.concepts AS k
ORDER BY k.concept_id;
