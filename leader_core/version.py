"""The version of this code, as written into its files."""

__version__ = "0.1.0"
