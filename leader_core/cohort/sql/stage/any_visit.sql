-- One row if any visit passes all filters.
SELECT visit_id FROM visit_filters WHERE failed_at IS NULL LIMIT 1;
