-- The classes, as the source numbers them.
CREATE TABLE codes AS
SELECT * FROM source_scores.codes;
