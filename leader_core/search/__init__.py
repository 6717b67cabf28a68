"""Codes found by words or by code."""
