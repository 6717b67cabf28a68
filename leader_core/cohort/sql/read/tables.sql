-- What the file holds, to tell a cohort from any other database.
SELECT table_name FROM information_schema.tables WHERE table_schema = 'main';
