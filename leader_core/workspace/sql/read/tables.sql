-- Which tables the file holds: an empty file is a new workspace, one with other tables is something else.
SELECT table_name FROM information_schema.tables WHERE table_schema = 'main';
