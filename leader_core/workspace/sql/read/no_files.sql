-- A reader has no business with other files: nothing that runs on this connection can open one.
SET enable_external_access = false;
