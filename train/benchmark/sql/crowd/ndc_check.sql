-- As it stands in the source: nothing in it is counted in patients.
CREATE TABLE ndc_check AS
SELECT * FROM source.ndc_check;
