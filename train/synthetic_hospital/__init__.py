"""A synthetic hospital: invented patients in MIMIC's own raw tables, for those who have no data."""
