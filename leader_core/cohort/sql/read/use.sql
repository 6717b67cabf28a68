-- Tables named without a database are the cohort's.
USE cohort;
