-- As it stands in the source: nothing in it is counted in patients.
CREATE TABLE unmapped AS
SELECT * FROM source.unmapped;
