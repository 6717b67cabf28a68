-- One version more. The primary key refuses a second writer of the same version.
INSERT INTO entries VALUES (
    $entry_id, $version, $kind, $state, $based_on, $patient_id, $visit_id, $name, $body, $tags, $author, $written_at
);
