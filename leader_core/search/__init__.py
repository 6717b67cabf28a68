"""Searching codes by words or by code; `query` reads a search of patients."""
