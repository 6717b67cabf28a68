-- Preset clinical: what a visit must have, in order. `label` is the reason its rows are given where it has not.
CREATE TEMP TABLE filter_steps AS
SELECT * FROM (
    VALUES
    (1, 'readable admission of a known patient', 'admission set aside'),
    (2, 'at least one diagnosis', 'visit without a diagnosis'),
    (3, 'at least one mapped medication', 'visit without a mapped medication')
) AS f (step, filter, label);
