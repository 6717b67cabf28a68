-- Which models a file holds that is opened to be written on.
SELECT model FROM models;
