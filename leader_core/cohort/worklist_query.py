"""The worklist's filters, sort orders and page sizes, and the rows, pages and distributions that a query returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from leader_core.errors import InputError

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
