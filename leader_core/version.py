"""The version of this code, as written into what it makes."""

__version__ = "0.1.0"
