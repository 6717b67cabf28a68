"""The worklist and the search for codes, answered in the database with bound values.

Refuses to know how pages show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb

from leader_core.cohort.query import PatientPage, PatientQuery, PatientRow
from leader_core.cohort.search import fold, split_parts
from leader_core.cohort.statements import run
from leader_core.domain import KINDS, UNKNOWN

_MOST_CONCEPTS: Final = 100_000  # of one searched part; more than any cohort has


def read_patients(cursor: duckdb.DuckDBPyConnection, query: PatientQuery) -> PatientPage:
    """One page of the worklist."""
    parts = [concepts for part in split_parts(query.text) for concepts in _concepts(cursor, part)]
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


def _concepts(cursor: duckdb.DuckDBPyConnection, part: str) -> list[list[int]]:
    """The concepts that hold all words of a part; where none does, those of each word by itself."""
    together = [row[5] for row in matching(cursor, part, KINDS, _MOST_CONCEPTS)]
    words = fold(part).split()
    if together or len(words) == 1:
        return [together]
    return [[row[5] for row in matching(cursor, word, KINDS, _MOST_CONCEPTS)] for word in words]


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


def matching(
    cursor: duckdb.DuckDBPyConnection, text: str, kinds: Sequence[str], limit: int
) -> list[tuple[Any, ...]]:
    """Rows `(kind, code, system, title, parent, concept_id)` that fit all words of the text, best first."""
    words = fold(text).split()
    if not words or limit < 1:
        return []
    values = {
        "words": words,
        "text": " ".join(words),
        "longest": max(words, key=len),
        "code": words[-1],  # after the system, where one was typed: "ICD9:4280"
        "kinds": list(kinds),
        "limit": limit,
    }
    return run(cursor, "read/matching_concepts", values).fetchall()
