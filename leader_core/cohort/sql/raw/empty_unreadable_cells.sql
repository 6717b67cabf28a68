-- Cells that could not be read, by the number of their record; filled on a second look.
CREATE TEMP TABLE unreadable_cells (
    source_table VARCHAR, record BIGINT, "column" VARCHAR, value VARCHAR, reason VARCHAR
);
