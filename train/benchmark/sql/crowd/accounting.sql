-- As it stands in the source: nothing in it is counted in patients.
CREATE TABLE accounting AS
SELECT * FROM source.accounting;
