-- The same of a Parquet table in one or several parts: numbers and times as text, read by the same rules as text.
CREATE OR REPLACE TEMP VIEW file_cells AS
SELECT CAST(COLUMNS(*) AS VARCHAR)
FROM read_parquet(getvariable('raw_paths'), union_by_name = true, hive_partitioning = true);
