-- Codes that the libraries know, in the shape of the cohort's concepts, so that both are searched by one statement.
CREATE TABLE concepts AS
SELECT
    kind,
    code,
    system,
    title,
    '' AS parent,
    0 AS concept_id,
    0 AS patients,
    ' ' || trim(regexp_replace(strip_accents(lower(title)), '[^a-z0-9]+', ' ', 'g')) || ' ' AS folded,
    ' ' || trim(regexp_replace(strip_accents(lower(also)), '[^a-z0-9]+', ' ', 'g')) || ' ' AS also
FROM library_titles;
