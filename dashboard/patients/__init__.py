"""The worklist: filters, saved lists and the table of patients."""
