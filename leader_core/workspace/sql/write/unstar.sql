-- Take a star away.
DELETE FROM stars WHERE patient_id = $patient_id;
