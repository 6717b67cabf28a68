-- Which patients ever had a code, code by code as the builder stores it: what a search by words looks through.
SELECT concept_id, patient_id FROM patient_codes;
