-- Orders without a name get the one drug that their HICL number means elsewhere in the table; the numbers are done with.
UPDATE raw_prescriptions SET
    drug = coalesce(drug, (SELECT h.name FROM hicl_names AS h WHERE h.hicl = raw_prescriptions.ndc)),
    ndc = NULL;
