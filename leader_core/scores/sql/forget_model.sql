-- A model's own row goes before its new one comes: how many cases it has may have grown.
DELETE FROM models WHERE model = $model;
