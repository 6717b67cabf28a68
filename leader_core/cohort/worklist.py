"""The worklist, answered in the database with bound values.

Refuses to know how pages show it, and how a text finds codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from leader_core.cohort.query import PatientPage, PatientQuery, PatientRow
from leader_core.cohort.search import content_words, search_words, split_parts
from leader_core.cohort.statements import run
from leader_core.domain import UNKNOWN

Matching = Callable[[str], list[int]]
"""Numbers of the concepts that fit a text."""


def read_patients(
    cursor: duckdb.DuckDBPyConnection, query: PatientQuery, matching: Matching | None = None
) -> PatientPage:
    """One page of the worklist; a query with a text needs `matching`."""
    asked = split_parts(query.text) if matching is not None else []
    parts = [concepts for part in asked if matching is not None for concepts in _concepts(matching, part)]
    ages, visits = query.ages or (None, None), query.visits or (None, None)
    values: dict[str, Any] = {
        "text": query.text.strip() if parts else "",
        # A part that no concept fits leaves only patients whose id begins with the text.
        "parts": parts if parts and all(parts) else [[-1]],
        "splits": list(query.splits),
        "genders": list(query.genders),
        "age_low": ages[0],
        "age_high": ages[1],
        "visits_low": visits[0],
        "visits_high": visits[1],
        "sort": query.sort,
        "descending": query.descending,
        "page_size": query.page_size,
        "skip": (query.page - 1) * query.page_size,
    }
    found = run(cursor, "read/patients", values).fetchall()
    # An empty page still brings one row, with the total and no patient.
    rows = tuple(_row(row) for row in found if row[0] is not None)
    return PatientPage(rows, found[0][12], query.page, query.page_size)


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
    )
