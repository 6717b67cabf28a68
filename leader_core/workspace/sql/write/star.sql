-- Star a patient; a star that is there already keeps its first author and time.
INSERT INTO stars VALUES ($patient_id, $author, $written_at) ON CONFLICT DO NOTHING;
