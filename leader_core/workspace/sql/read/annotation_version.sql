-- How many versions there are of what one annotator said of one visit.
SELECT coalesce(max(version), 0)
FROM annotations
WHERE visit_id = $visit_id AND author = $author;
