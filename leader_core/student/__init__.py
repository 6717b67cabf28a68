"""The student: a small set-and-sequence network over codes, fast enough to score while someone types.

Importing this package costs nothing; torch is imported by `model`, `losses` and `scorer` only.
"""
