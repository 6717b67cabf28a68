-- Every class with its number: its place in the list.
INSERT INTO codes
SELECT
    generate_subscripts($codes, 1) - 1 AS code_no,
    unnest($codes) AS code;
