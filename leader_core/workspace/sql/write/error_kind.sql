-- One version more of a kind of error.
INSERT INTO error_kinds VALUES ($kind_id, $version, $name, $meaning, $removed, $author, $written_at);
