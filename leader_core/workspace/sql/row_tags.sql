-- From version 1 to 2: tags are set on a row (case, class, model), and notes have no tags of their own any more.
-- What annotators had said of a whole case becomes a tag without class and model for each kind of error; a note's words
-- become its last line. The file as it was is copied before this runs.
INSERT INTO entries
SELECT DISTINCT
    'row_tag', answers.visit_id || '///' || kinds.value || '/' || answers.author, 1, 0, 0,
    answers.patient_id, answers.visit_id, answers.author, answers.created_at,
    json_object('code', '', 'model', '', 'kind', kinds.value, 'note', '')
FROM (
    SELECT *, row_number() OVER (PARTITION BY key ORDER BY revision DESC) AS recency
    FROM entries
    WHERE kind = 'annotation' AND refused = 0
) AS answers,
json_each(
    CASE
        WHEN json_array_length(answers.body, '$.kinds') = 0 THEN '["none"]'
        ELSE json_extract(answers.body, '$.kinds')
    END
) AS kinds
WHERE answers.recency = 1 AND answers.deleted = 0;
DELETE FROM entries WHERE kind = 'annotation';
UPDATE entries
SET
    body = json_object(
        'text',
        json_extract(body, '$.text') || CASE
            WHEN coalesce(json_array_length(body, '$.tags'), 0) = 0 THEN ''
            ELSE '
Tags: ' || (SELECT group_concat(words.value, ', ') FROM json_each(entries.body, '$.tags') AS words)
        END
    )
WHERE kind = 'note';
