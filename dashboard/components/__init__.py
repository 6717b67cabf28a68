"""Pieces of pages: markup and small browser components. They draw what they are given and ask for nothing."""
