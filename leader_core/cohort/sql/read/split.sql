-- Which split a patient is in.
SELECT split FROM worklist WHERE patient_id = $patient_id;
