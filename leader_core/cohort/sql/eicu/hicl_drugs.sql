-- Each name that the table itself gives a HICL number, most frequent first.
SELECT ndc AS hicl, drug, sum(rows) AS rows
FROM raw_prescriptions
WHERE ndc IS NOT NULL AND drug IS NOT NULL
GROUP BY ndc, drug
ORDER BY hicl, rows DESC, drug;
