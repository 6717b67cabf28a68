-- As it stands in the source: nothing in it is counted in patients.
CREATE TABLE interactions AS
SELECT * FROM source.interactions;
