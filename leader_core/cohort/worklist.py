"""The worklist, answered in the database with bound values.

A cohort never changes while it is open, so what was counted once stays counted. Refuses to know how pages show it, and
how a text finds codes.
"""

from __future__ import annotations

import codecs
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from leader_core.cohort.query import RANGES, PatientPage, PatientQuery, PatientRow, Sort, Spread
from leader_core.cohort.statements import run
from leader_core.cohort.text_matches import Matching, PatientCodes
from leader_core.domain import UNKNOWN
from leader_core.errors import InputError
from leader_core.search.folding import split_parts

SPREADS: Final[Mapping[Sort, tuple[float, float] | None]] = {
    "visits": None,
    "age": None,
    "diagnoses": None,
    "medications": None,
    "teacher_jaccard": (0.0, 1.0),
    "student_jaccard": (0.0, 1.0),
    "gap": (0.0, 1.0),
    "prescribed_severe": None,
}
"""Figures whose distribution can be asked for, with their range; None for whole numbers, which have their own."""

_KEPT: Final = 200
"""Totals and distributions that are remembered."""
_KEPT_PAGES: Final = 64
"""Pages that are remembered: stepping from case to case and every redraw ask for the same one."""
_KEPT_TEXTS: Final = 16
"""Texts whose patients are remembered, a bit a patient."""

T = TypeVar("T")


class Worklist:
    """Answers about the patients of one cohort. Threads may share it: every answer uses a connection of its own."""

    def __init__(
        self, connect: Callable[[], duckdb.DuckDBPyConnection], matching: Callable[[], Matching]
    ) -> None:
        """`connect` opens a cursor; `matching` says how a text finds concepts, asked for only when there is one."""
        self._connect = connect
        self._matching = matching
        self._lock = threading.Lock()
        self._indexing = threading.Lock()
        self._codes: PatientCodes | None = None
        self._held = False
        self._page = lru_cache(_KEPT_PAGES)(self._read_page)
        self._totals: OrderedDict[Hashable, int] = OrderedDict()
        self._spreads: OrderedDict[Hashable, Spread] = OrderedDict()
        self._texts: OrderedDict[Hashable, bytes | None] = OrderedDict()

    def warm_up(self) -> None:
        """Hold in memory what every question would read anew: the list with its scores, and who has which code."""
        self._hold()
        self._patient_codes()

    def page(self, query: PatientQuery) -> PatientPage:
        """One page of the worklist."""
        return self._page(query)

    def _read_page(self, query: PatientQuery) -> PatientPage:
        cursor, values = self._ask(query)
        values |= {
            "sort": query.sort,
            "descending": query.descending,
            "page_size": query.page_size,
            "skip": (query.page - 1) * query.page_size,
        }
        rows = tuple(_row(row) for row in run(cursor, "read/patients", values).fetchall())
        total = self._kept(self._totals, _narrowed(query), _KEPT, lambda: _count(cursor, values))
        return PatientPage(rows, total, query.page, query.page_size)

    def spread(self, query: PatientQuery, figure: Sort, bins: int) -> Spread:
        """How the patients that match spread over a figure, in bins of equal width."""
        if figure not in SPREADS:
            raise InputError(f"No distribution of {figure!r}: expected one of {', '.join(SPREADS)}.")

        def counted() -> Spread:
            cursor, values = self._ask(query)
            found = run(cursor, "read/figures", {**values, "figure": figure}).fetchnumpy()
            return _binned(found["figure"], found["patients"], figure, bins)

        return self._kept(self._spreads, (_narrowed(query), figure, bins), _KEPT, counted)

    def ids(self, query: PatientQuery) -> tuple[int, ...]:
        """Every patient that matches, by id."""
        cursor, values = self._ask(query)
        return tuple(row[0] for row in run(cursor, "read/matching_ids", values).fetchall())

    def csv(self, query: PatientQuery) -> bytes:
        """Every patient that matches, in the query's order, as CSV in UTF-8 with a byte-order mark for spreadsheets."""
        from pyarrow import csv

        cursor, values = self._ask(query)
        values |= {"sort": query.sort, "descending": query.descending}
        stream = io.BytesIO()
        stream.write(codecs.BOM_UTF8)
        csv.write_csv(run(cursor, "read/worklist_csv", values).to_arrow_table(), stream)
        return stream.getvalue()

    def _ask(self, query: PatientQuery) -> tuple[duckdb.DuckDBPyConnection, dict[str, Any]]:
        """A connection, and the values that `matches.sql` asks for; a text of signs alone asks for nothing."""
        fits = self._fits(query.text.strip()) if split_parts(query.text) else None
        return self._connect(), {"text_fits": fits, **_filters(query)}

    def _fits(self, text: str) -> bytes | None:
        """Who fits a text, a bit a patient in the order of their ids; None where all do, as a single letter may have it."""

        def packed() -> bytes | None:
            found = self._patient_codes().fits(text, self._matching())
            return None if found.all() else np.packbits(found).tobytes()

        self._hold()  # only there does a patient have a place
        return self._kept(self._texts, text, _KEPT_TEXTS, packed)

    def _hold(self) -> None:
        """Answer from memory from now on."""
        with self._indexing:
            if not self._held:
                cursor = self._connect()
                run(cursor, "read/held")
                run(cursor, "read/listed_from_memory")
                self._held = True

    def _patient_codes(self) -> PatientCodes:
        with self._indexing:
            if self._codes is None:
                self._codes = PatientCodes(self._connect())
            return self._codes

    def _kept(self, kept: OrderedDict[Hashable, T], key: Hashable, most: int, make: Callable[[], T]) -> T:
        """What is remembered under the key, or what `make` gives, remembered from now on."""
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        made = make()
        with self._lock:
            kept[key] = made
            while len(kept) > most:
                kept.popitem(last=False)
        return made


def _narrowed(query: PatientQuery) -> PatientQuery:
    """The query without what changes neither who matches nor how many: order and page."""
    return replace(query, text=query.text.strip(), sort="patient_id", descending=False, page=1, page_size=1)


def _count(cursor: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> int:
    (found,) = run(cursor, "read/count_matching", values).fetchall()
    return int(found[0])


def _binned(column: NDArray[Any], patients: NDArray[np.int64], figure: Sort, bins: int) -> Spread:
    """The distribution of distinct values with their numbers of patients; a masked value is a missing figure."""
    absent = np.ma.getmaskarray(column)
    known, weights = np.ma.getdata(column)[~absent].astype(np.float64), np.ma.getdata(patients)[~absent]
    missing = int(np.ma.getdata(patients)[absent].sum())
    if not len(known):
        return Spread((), (), missing)
    whole = SPREADS[figure] is None
    low, high = (known.min(), known.max() + 1) if whole else SPREADS[figure] or (0.0, 1.0)
    width = max(1.0, np.ceil((high - low) / bins)) if whole else (high - low) / bins
    edges = low + width * np.arange(int(np.ceil(round((high - low) / width, 6))) + 1)
    counts, _ = np.histogram(known, edges, weights=weights)
    return Spread(tuple(edges.tolist()), tuple(counts.tolist()), missing)


def _row(row: Sequence[Any]) -> PatientRow:
    return PatientRow(
        patient_id=row[0],
        gender=row[1] or UNKNOWN,
        age=row[2],
        visits=row[3],
        split=row[4],
        visit_id=row[5],
        admitted_at=row[6],
        admission_type=row[7] or UNKNOWN,
        main_diagnosis=row[8] or "",
        diagnoses=row[9],
        procedures=row[10],
        medications=row[11],
        teacher_jaccard=row[12],
        student_jaccard=row[13],
        gap=row[14],
        prescribed_severe=row[15],
        teacher_severe=row[16],
        student_severe=row[17],
        truncated=row[18],
    )


def _filters(query: PatientQuery) -> dict[str, Any]:
    """What `matches.sql` asks for, but for the text."""
    return {
        "patient_ids": None if query.patient_ids is None else list(query.patient_ids),
        "splits": list(query.splits),
        "genders": list(query.genders),
        "chapters": list(query.chapters),
        "truncated": query.truncated,
        **{name: None if (limits := getattr(query, name)) is None else list(limits) for name in RANGES},
    }
