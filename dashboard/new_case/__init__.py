"""A case entered by hand or imported from a file, and what changes when it is edited."""
