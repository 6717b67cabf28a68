"""The report of one case: its content, and that content as HTML, PDF, JSON and CSV."""
