-- One version more of what an annotator says of a visit.
INSERT INTO annotations VALUES ($visit_id, $author, $version, $patient_id, $kinds, $written_at);
