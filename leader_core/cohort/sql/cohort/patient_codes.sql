-- Which patients ever had a code, stored code by code: a search by words reads only the codes that match.
CREATE TABLE patient_codes AS
SELECT DISTINCT concept_id, patient_id
FROM visit_codes
ORDER BY concept_id, patient_id;
