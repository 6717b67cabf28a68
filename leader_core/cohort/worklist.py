"""The worklist, answered in the database with bound values.

Refuses to know how pages show it, and how a text finds codes.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import duckdb
import numpy as np

from leader_core.cohort.query import RANGES, PatientPage, PatientQuery, PatientRow, Sort, Spread
from leader_core.cohort.search import content_words, search_words, split_parts
from leader_core.cohort.statements import run
from leader_core.domain import UNKNOWN
from leader_core.errors import InputError

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

Matching = Callable[[str], list[int]]
"""Numbers of the concepts that fit a text."""


def read_patients(
    cursor: duckdb.DuckDBPyConnection, query: PatientQuery, matching: Matching | None = None
) -> PatientPage:
    """One page of the worklist; a query with a text needs `matching`, here and below."""
    values = {
        **_filters(query, _parts(query, matching)),
        "sort": query.sort,
        "descending": query.descending,
        "page_size": query.page_size,
        "skip": (query.page - 1) * query.page_size,
    }
    found = run(cursor, "read/patients", values).fetchall()
    # An empty page still brings one row, with the total and no patient.
    rows = tuple(_row(row) for row in found if row[0] is not None)
    return PatientPage(rows, found[0][-1], query.page, query.page_size)


def read_spread(
    cursor: duckdb.DuckDBPyConnection,
    query: PatientQuery,
    figure: Sort,
    bins: int,
    matching: Matching | None = None,
) -> Spread:
    """How the patients that match spread over a figure, in bins of equal width."""
    if figure not in SPREADS:
        raise InputError(f"No distribution of {figure!r}: expected one of {', '.join(SPREADS)}.")
    values = {**_filters(query, _parts(query, matching)), "figure": figure}
    column = run(cursor, "read/figures", values).fetchnumpy()["figure"]
    known = np.ma.compressed(column).astype(np.float64)
    missing = len(column) - len(known)
    if not len(known):
        return Spread((), (), missing)
    whole = SPREADS[figure] is None
    low, high = (known.min(), known.max() + 1) if whole else SPREADS[figure] or (0.0, 1.0)
    width = max(1.0, np.ceil((high - low) / bins)) if whole else (high - low) / bins
    edges = low + width * np.arange(int(np.ceil(round((high - low) / width, 6))) + 1)
    counts, _ = np.histogram(known, edges)
    return Spread(tuple(edges.tolist()), tuple(counts.tolist()), missing)


def read_ids(
    cursor: duckdb.DuckDBPyConnection, query: PatientQuery, matching: Matching | None = None
) -> tuple[int, ...]:
    """Every patient that matches, by id."""
    found = run(cursor, "read/matching_ids", _filters(query, _parts(query, matching))).fetchall()
    return tuple(row[0] for row in found)


def write_csv(
    cursor: duckdb.DuckDBPyConnection, query: PatientQuery, matching: Matching | None = None
) -> bytes:
    """Every patient that matches, in the query's order, as CSV in UTF-8 with a byte-order mark for spreadsheets."""
    from pyarrow import csv

    values = {**_filters(query, _parts(query, matching)), "sort": query.sort, "descending": query.descending}
    stream = io.BytesIO()
    stream.write(codecs.BOM_UTF8)
    csv.write_csv(run(cursor, "read/worklist_csv", values).to_arrow_table(), stream)
    return stream.getvalue()


def _parts(query: PatientQuery, matching: Matching | None) -> list[list[int]]:
    """Lists of concepts, of each of which a patient must have one."""
    if matching is None:
        return []
    return [concepts for part in split_parts(query.text) for concepts in _concepts(matching, part)]


def _concepts(matching: Matching, part: str) -> list[list[int]]:
    """The concepts that fit all words of a part; where none does, those of each word by itself."""
    together = matching(part)
    words = search_words(part)
    if together or len(words) == 1:
        return [together]
    return [matching(word) for word in content_words(words)]


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


def _filters(query: PatientQuery, parts: list[list[int]]) -> dict[str, Any]:
    """What `matches.sql` asks for."""
    return {
        "text": query.text.strip() if parts else "",
        # A part that no concept fits leaves only patients whose id begins with the text.
        "parts": parts if parts and all(parts) else [[-1]],
        "patient_ids": None if query.patient_ids is None else list(query.patient_ids),
        "splits": list(query.splits),
        "genders": list(query.genders),
        "chapters": list(query.chapters),
        "truncated": query.truncated,
        **{name: None if (limits := getattr(query, name)) is None else list(limits) for name in RANGES},
    }
