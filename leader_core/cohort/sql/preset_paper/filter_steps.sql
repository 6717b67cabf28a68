-- Preset paper: the published filters in their order. `label` is the reason a visit's rows are given where it fails.
-- Left out on purpose: the filter by drug structures (it deletes real prescriptions, and its table is not public). The
-- random 15 % of MIMIC-IV's patients are an option of the builder, `sample`.
CREATE TEMP TABLE filter_steps AS
SELECT * FROM (
    VALUES
    (1, 'readable admission of a known patient', 'admission set aside'),
    (2, 'patient with NDC-coded prescriptions in at least two admissions', 'patient with one prescribed admission'),
    (3, 'at least one of the 300 most frequent medication classes', 'visit without a frequent medication'),
    (4, 'at least one of the 2,000 most frequent diagnoses', 'visit without a frequent diagnosis'),
    (5, 'at least one procedure', 'visit without a procedure')
) AS f (step, filter, label);
