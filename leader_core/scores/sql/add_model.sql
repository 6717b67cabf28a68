-- A model whose cases all stand in the file.
INSERT INTO models VALUES ($model, $digest, $threshold, $cases, $scored_at, $known);
