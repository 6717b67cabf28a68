-- Each concept as one text, in order of its number.
SELECT concat_ws('|', kind, code, title) AS text FROM concepts ORDER BY concept_id;
