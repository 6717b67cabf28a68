-- The cohort's medication classes, to be looked up in the interaction table.
SELECT code FROM concepts WHERE kind = 'medication' ORDER BY code;
