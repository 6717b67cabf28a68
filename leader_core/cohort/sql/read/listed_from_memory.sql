-- From now on the worklist is answered from what is held in memory.
CREATE OR REPLACE VIEW working_memory.listed AS
SELECT * FROM working_memory.held;
