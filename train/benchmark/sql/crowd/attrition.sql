-- As it stands in the source: nothing in it is counted in patients.
CREATE TABLE attrition AS
SELECT * FROM source.attrition;
