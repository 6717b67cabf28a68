-- `worklist_rows` held in memory, because joining hundreds of thousands of patients to their scores for every click would
-- take most of its time. `place` is a position among the ids.
CREATE TABLE working_memory.rows_in_memory AS
SELECT * REPLACE (CAST(dense_rank() OVER (ORDER BY patient_id) - 1 AS INTEGER) AS place)
FROM working_memory.worklist_rows
ORDER BY patient_id;
