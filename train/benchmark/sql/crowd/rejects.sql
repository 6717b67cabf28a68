-- As it stands in the source: nothing in it is counted in patients.
CREATE TABLE rejects AS
SELECT * FROM source.rejects;
