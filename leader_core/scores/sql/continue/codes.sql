-- The classes of a file that is opened to be written on, in the order in which probabilities are stored.
SELECT code
FROM codes
ORDER BY code_no;
