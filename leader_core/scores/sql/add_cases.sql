-- A block of cases, handed over as an Arrow table named `block`.
INSERT INTO case_scores BY NAME
SELECT * FROM block;
