"""A case on paper: what an exported report says, and its writing as HTML, PDF, JSON and CSV."""
