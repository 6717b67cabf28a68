-- Lines that the reader set aside, filled table by table.
CREATE TEMP TABLE unreadable_lines (
    source_table VARCHAR, line BIGINT, "column" VARCHAR, value VARCHAR, reason VARCHAR, rows BIGINT
);
