-- Nor are the rows of codes, once they are counted and the kept ones drawn.
DROP TABLE icd_rows;
DROP TABLE usable_codes;
