"""The worklist and its queries: filtered, sorted, paged and counted in the database, with bound values.

A cohort never changes while it is open, so what was counted once stays counted. Who matches a searched text is worked out
by `patient_search`, and given to the database as one bit a patient.
"""

from __future__ import annotations

import codecs
import io
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, get_args

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from leader_core import sql
from leader_core.cohort.patient_codes import PatientCodes
from leader_core.cohort.patient_search import PatientSearch
from leader_core.cohort.statements import run
from leader_core.domain import UNKNOWN
from leader_core.errors import InputError
from leader_core.terminology.chapters import BACKGROUND

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

Sort = Literal[
    "patient_id",
    "visits",
    "age",
    "admitted_at",
    "diagnoses",
    "medications",
    "teacher_jaccard",
    "student_jaccard",
    "gap",
    "prescribed_severe",
]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
SCORE_SORTS: Final[frozenset[Sort]] = frozenset(("teacher_jaccard", "student_jaccard", "gap"))
"""Orders that need stored scores."""

LARGEST_PAGE: Final = 1_000

RANGES: Final = (
    "ages",
    "visits",
    "teacher_jaccard",
    "student_jaccard",
    "gap",
    "prescribed_severe",
    "suggested_severe",
)
"""Filters that are (lowest, highest)."""


@dataclass(frozen=True, slots=True)
class PatientQuery:
    """One page of the worklist: filters, order and page.

    `text` (read by `leader_core.search.query`) is searched in the patient id and in code and title of every visit's codes.
    Empty tuples and None filter nothing; ranges include both ends. Age, admission, counts and scores are those of the
    patient's last visit; a filter on a score leaves out patients whose last visit has none.

    Raises:
        InputError: for a value outside its range, naming it.
    """

    text: str = ""
    patient_ids: tuple[int, ...] | None = None  # these patients only; an empty tuple leaves nobody
    splits: tuple[Split, ...] = ()
    genders: tuple[str, ...] = ()
    chapters: tuple[str, ...] = ()  # of any diagnosis of the last visit
    ages: tuple[int, int] | None = None
    visits: tuple[int, int] | None = None
    teacher_jaccard: tuple[float, float] | None = None  # of what each model suggests with what was prescribed
    student_jaccard: tuple[float, float] | None = None
    gap: tuple[float, float] | None = None  # share of the suggested classes that only one model suggests
    prescribed_severe: tuple[int, int] | None = None  # contraindicated and major alerts of the drugs ordered
    suggested_severe: tuple[int, int] | None = None  # of the model's suggestion that has more of them
    truncated: bool | None = None  # whether the teacher's prompt was cut
    sort: Sort = "patient_id"
    descending: bool = False
    page: int = 1  # 1-based
    page_size: int = 25

    def __post_init__(self) -> None:
        problems: list[str] = []
        if self.sort not in SORTS:
            problems.append(f"sort {self.sort!r}: expected one of {', '.join(SORTS)}")
        if unknown := [s for s in self.splits if s not in SPLITS]:
            problems.append(f"splits {', '.join(map(repr, unknown))}: expected any of {', '.join(SPLITS)}")
        if self.page < 1:
            problems.append(f"page {self.page}: expected 1 or more")
        if not 1 <= self.page_size <= LARGEST_PAGE:
            problems.append(f"page_size {self.page_size}: expected 1 to {LARGEST_PAGE}")
        for name in RANGES:
            limits = getattr(self, name)
            if limits is not None and (len(limits) != 2 or limits[0] > limits[1]):
                problems.append(f"{name} {limits!r}: expected (lowest, highest)")
        if problems:
            raise InputError(f"The worklist query cannot be answered: {'; '.join(problems)}.")


@dataclass(frozen=True, slots=True)
class PatientRow:
    """One patient of the worklist; everything but `visits` and `split` is of the last visit."""

    patient_id: int
    gender: str
    age: int | None  # full years at admission
    visits: int
    split: Split
    visit_id: int
    admitted_at: datetime | None
    admission_type: str
    main_diagnosis: str  # title of the first-listed diagnosis
    diagnoses: int  # distinct codes
    procedures: int
    medications: int
    teacher_jaccard: float | None = None  # None where no scores are stored
    student_jaccard: float | None = None
    gap: float | None = None
    prescribed_severe: int | None = None  # contraindicated and major alerts of the drugs ordered
    teacher_severe: int | None = None
    student_severe: int | None = None
    truncated: bool | None = None
    prescribed_contraindicated: int | None = None  # of those that are severe
    teacher_contraindicated: int | None = None
    student_contraindicated: int | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """How the matching patients spread over a column: `counts[i]` of them from `edges[i]` to below `edges[i + 1]`.

    The last bin holds its upper edge too.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int  # patients without a value


@dataclass(frozen=True, slots=True)
class PatientPage:
    """A page of the worklist and how many patients match in all."""

    rows: tuple[PatientRow, ...]
    total: int
    page: int
    page_size: int

    @property
    def pages(self) -> int:
        """How many pages the matches fill; 1 where nothing matches."""
        return max(1, math.ceil(self.total / self.page_size))


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
"""Columns that have a distribution, with their range; None for whole numbers, which have their own."""

CSV_COLUMNS: Final = (
    "patient_id", "visit_id", "gender", "age", "visits", "split", "admitted_at", "admission_type", "main_diagnosis",
    "diagnoses", "procedures", "medications", "teacher_jaccard", "student_jaccard", "gap", "prescribed_severe",
    "teacher_severe", "student_severe", "truncated", "prescribed_contraindicated", "teacher_contraindicated",
    "student_contraindicated",
)  # fmt: skip

_CACHED_COUNTS: Final = 200  # totals, and distributions
_CACHED_PAGES: Final = 64  # stepping from case to case and every redraw need the same page
_CACHED_TEXTS: Final = 16  # one bit per patient
_EVERY_ROW: Final = 2**62


class Worklist:
    """Answers about the patients of one cohort. Threads may share it: every answer uses a connection of its own."""

    def __init__(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        searching: Callable[[PatientCodes], PatientSearch],
    ) -> None:
        """`connect` opens a cursor; `searching` prepares searches, called only when there is a text."""
        self._connect = connect
        self._searching = searching
        self._lock = threading.Lock()
        self._codes: PatientCodes | None = None
        self._search: PatientSearch | None = None
        self._page = lru_cache(_CACHED_PAGES)(self._read_page)
        self._total = lru_cache(_CACHED_COUNTS)(self._count)
        self._spread = lru_cache(_CACHED_COUNTS)(self._read_spread)
        self._text = lru_cache(_CACHED_TEXTS)(self._read_text)

    def warm_up(self) -> PatientCodes:
        """Hold in memory what every query would read again: the list with its scores, and who has which code."""
        with self._lock:
            if self._codes is None:
                cursor = self._connect()
                run(cursor, "worklist/rows_in_memory")
                cursor.execute(
                    "CREATE OR REPLACE VIEW working_memory.worklist_rows AS SELECT * FROM working_memory.rows_in_memory"
                )
                self._codes = PatientCodes(cursor)
            return self._codes

    def search(self) -> PatientSearch:
        """Searches of these patients, prepared with the first of them."""
        codes = self.warm_up()  # a patient has a position only in the list in memory
        with self._lock:
            if self._search is None:
                self._search = self._searching(codes)
            return self._search

    def page(self, query: PatientQuery) -> PatientPage:
        """One page of the worklist."""
        return self._page(query)

    def spread(self, query: PatientQuery, column: Sort, bins: int) -> Spread:
        """How the patients that match spread over a column, in bins of equal width."""
        if column not in SPREADS:
            raise InputError(f"No distribution of {column!r}: expected one of {', '.join(SPREADS)}.")
        return self._spread(_narrowed(query), column, bins)

    def problems(self, rows: Sequence[PatientRow], most: int) -> dict[int, tuple[str, ...]]:
        """The titles of the main diagnoses of each row's last visit, by patient id: conditions first, as listed."""
        values = {
            "patients": [r.patient_id for r in rows],
            "visits": [r.visit_id for r in rows],
            "most": most,
            "background": list(BACKGROUND),
        }
        listed = run(self._connect(), "worklist/problems", values).fetchall()
        return {patient: tuple(titles) for patient, titles in listed}

    def ids(self, query: PatientQuery) -> tuple[int, ...]:
        """Every patient that matches, by id."""
        return tuple(row[0] for row in run(self._connect(), "worklist/ids", self._values(query)).fetchall())

    def csv(self, query: PatientQuery) -> bytes:
        """Every patient that matches, in the query's order, as CSV in UTF-8 with a byte-order mark for spreadsheets.

        A text that a spreadsheet would take for a formula gets an apostrophe before it.
        """
        page = sql.statement("leader_core.cohort", "worklist/page")
        rows = self._connect().sql(page, params=self._page_values(query, _EVERY_ROW, 0))
        table: pa.Table = rows.select(*CSV_COLUMNS).to_arrow_table()
        column, texts = CSV_COLUMNS.index("main_diagnosis"), table["main_diagnosis"]
        quoted = pc.binary_join_element_wise("'", texts, "")
        formula = pc.match_substring_regex(texts, r"^[=+\-@\t\r]")
        table = table.set_column(column, "main_diagnosis", pc.if_else(formula, quoted, texts))
        table = table.rename_columns([name.replace("prescribed", "ordered") for name in CSV_COLUMNS])
        stream = io.BytesIO()
        stream.write(codecs.BOM_UTF8)
        csv.write_csv(table, stream)
        return stream.getvalue()

    def _read_page(self, query: PatientQuery) -> PatientPage:
        values = self._page_values(query, query.page_size, (query.page - 1) * query.page_size)
        rows = run(self._connect(), "worklist/page", values).fetchall()
        return PatientPage(
            tuple(_row(row) for row in rows), self._total(_narrowed(query)), query.page, query.page_size
        )

    def _page_values(self, query: PatientQuery, page_size: int, skip: int) -> dict[str, Any]:
        order = {"sort": query.sort, "descending": query.descending, "page_size": page_size, "skip": skip}
        return self._values(query) | order

    def _count(self, query: PatientQuery) -> int:
        ((total,),) = run(self._connect(), "worklist/count", self._values(query)).fetchall()
        return int(total)

    def _read_spread(self, query: PatientQuery, column: Sort, bins: int) -> Spread:
        values = self._values(query) | {"column": column}
        counts = run(self._connect(), "worklist/spread", values).fetchnumpy()
        return _binned(counts["value"], counts["patients"], column, bins)

    def _values(self, query: PatientQuery) -> dict[str, Any]:
        """The parameters of `matching_rows.sql`."""
        return {
            "text_bits": self._text(query.text.strip()) if query.text.strip() else None,
            "patient_ids": None if query.patient_ids is None else list(query.patient_ids),
            "splits": list(query.splits),
            "genders": list(query.genders),
            "chapters": list(query.chapters),
            "truncated": query.truncated,
            **{name: None if (limits := getattr(query, name)) is None else list(limits) for name in RANGES},
        }

    def _read_text(self, text: str) -> bytes | None:
        """Who matches a text, a bit per patient in the order of ids; None where all do, as a single letter may have it."""
        matches = self.search().matches(text)
        return None if matches.all() else np.packbits(matches).tobytes()


def _narrowed(query: PatientQuery) -> PatientQuery:
    """The query without what changes neither who matches nor how many: order and page."""
    return replace(query, text=query.text.strip(), sort="patient_id", descending=False, page=1, page_size=1)


def _binned(column: NDArray[Any], patients: NDArray[np.int64], name: Sort, bins: int) -> Spread:
    """The distribution of distinct values with their numbers of patients; masked values are missing."""
    absent = np.ma.getmaskarray(column)
    known, weights = np.ma.getdata(column)[~absent].astype(np.float64), np.ma.getdata(patients)[~absent]
    missing = int(np.ma.getdata(patients)[absent].sum())
    if not len(known):
        return Spread((), (), missing)
    whole = SPREADS[name] is None
    low, high = (known.min(), known.max() + 1) if whole else SPREADS[name] or (0.0, 1.0)
    width = max(1.0, np.ceil((high - low) / bins)) if whole else (high - low) / bins
    edges = low + width * np.arange(int(np.ceil(round((high - low) / width, 6))) + 1)
    counts, _ = np.histogram(known, edges, weights=weights)
    return Spread(tuple(edges.tolist()), tuple(counts.tolist()), missing)


def _row(row: Sequence[Any]) -> PatientRow:
    values: tuple[Any, ...] = (
        row[0],
        row[1] or UNKNOWN,
        *row[2:7],
        row[7] or UNKNOWN,
        row[8] or "",
        *row[9:],
    )
    return PatientRow(*values)
