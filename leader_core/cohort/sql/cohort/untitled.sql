-- How many codes of each kind nobody has a title for.
SELECT kind, count(*) AS codes FROM concepts WHERE NOT titled GROUP BY kind ORDER BY kind;
