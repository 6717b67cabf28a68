"""Searching codes by words: how text is folded, and the libraries' codes as a table of their own.

Refuses to know which cohort is searched.
"""

from __future__ import annotations

import re
import threading
import unicodedata

import duckdb
import pyarrow as pa

from leader_core.cohort.mapping import drug_names
from leader_core.cohort.statements import run
from leader_core.terminology.atc import all_atc_titles
from leader_core.terminology.codes import SYSTEMS, all_titles
from leader_core.terminology.drugs import ATC_LENGTH, AtcLevel

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

    def __init__(self, atc_level: AtcLevel) -> None:
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


def _library_titles(level: AtcLevel) -> pa.Table:
    """`kind, code, system, title, also` of every system; medication classes at the cohort's level."""
    text = pa.string()
    tables = []
    for system in SYSTEMS:
        titles = all_titles(system)
        kind = "procedure" if system.endswith("PCS") else "diagnosis"
        constants = {"kind": kind, "system": system, "also": ""}
        columns = {name: pa.array([value] * len(titles), text) for name, value in constants.items()}
        tables.append(
            pa.table({**columns, "code": titles["code"].cast(text), "title": titles["title"].cast(text)})
        )
    drugs = drug_names(level)
    classes = {c: t for c, t in all_atc_titles().items() if len(c) == ATC_LENGTH[level]}
    columns = {
        "kind": ["medication"] * len(classes),
        "system": ["ATC"] * len(classes),
        "also": [drugs.get(code, "") for code in classes],
        "code": list(classes),
        "title": list(classes.values()),
    }
    tables.append(pa.table({name: pa.array(values, text) for name, values in columns.items()}))
    return pa.concat_tables(tables)
