"""Searching codes by words: how text is folded, and the libraries' codes as a table of their own.

Refuses to know which cohort is searched.
"""

from __future__ import annotations

import re
import threading
import unicodedata

import duckdb
import pyarrow as pa

from leader_core.cohort.statements import run
from leader_core.terminology.codes import SYSTEMS, all_titles

_DOT_IN_CODE = re.compile(r"(?<=[0-9a-z])\.(?=[0-9a-z])")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def fold(text: str) -> str:
    """Lower-case words without accents; the dot of a code is dropped.

    >>> fold("Ménière's  disease"), fold("428.0")
    ('meniere s disease', '4280')
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return _NOT_WORD.sub(" ", _DOT_IN_CODE.sub("", plain)).strip()


def split_parts(text: str) -> list[str]:
    """The parts of a worklist search that must all be found: 'heart failure, warfarin' has two."""
    return [part for part in re.split(r"[,;]", text) if fold(part)]


class Library:
    """Titles of all codes that the installed code lists hold; loaded on first need, some 170,000 rows."""

    def __init__(self, atc_level: int) -> None:
        self._level = atc_level
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor on a database in memory with a table `concepts`."""
        with self._lock:
            if self._connection is None:
                connection = duckdb.connect(":memory:")
                connection.register("library_titles", _library_titles(self._level))
                run(connection, "library/concepts")
                connection.unregister("library_titles")
                self._connection = connection
            return self._connection.cursor()


def _library_titles(atc_level: int) -> pa.Table:
    """`kind, code, system, title` of every system."""
    tables = []
    for system in SYSTEMS:
        titles = all_titles(system)
        kind = "procedure" if system.endswith("PCS") else "diagnosis"
        tables.append(
            pa.table(
                {
                    "kind": pa.array([kind] * len(titles), pa.string()),
                    "code": titles["code"].cast(pa.string()),
                    "system": pa.array([system] * len(titles), pa.string()),
                    "title": titles["title"].cast(pa.string()),
                }
            )
        )
    return pa.concat_tables(tables)
