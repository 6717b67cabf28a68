"""Searching codes by words or by code."""
