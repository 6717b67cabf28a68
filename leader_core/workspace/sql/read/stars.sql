-- Starred patients, newest star first.
SELECT patient_id, author, starred_at FROM stars ORDER BY starred_at DESC, patient_id;
