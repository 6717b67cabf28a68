"""The dashboard: pages that render what the engine computes. Never touches the database or a model itself.

`draw` is the entry point of a page or of a view of the error analysis; `show` draws one panel within it.
"""
