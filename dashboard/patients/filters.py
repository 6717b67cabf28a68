"""The worklist's filters as values: what is set, in words, as a query, in the URL, and which of them leaves no patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from dashboard.patients import search
from dashboard.shared import wording
from dashboard.shared.formatting import listing
from leader_core.cohort import PatientQuery
from leader_core.cohort.worklist import SORTS, Sort, Split

OLDEST: Final = 100
"""The age slider's end, which means this age or older."""
_NO_LIMIT: Final = 10_000

VisitChoice = Literal["any", "first", "returning", "many"]
VISIT_CHOICES: Final[Mapping[VisitChoice, tuple[str, tuple[int, int] | None]]] = {
    "any": ("Any", None),
    "first": ("First visit only", (1, 1)),
    "returning": ("2 or more", (2, _NO_LIMIT)),
    "many": ("4 or more", (4, _NO_LIMIT)),
}
GENDER_CHOICES: Final[Mapping[str, str]] = {"any": "Any", **wording.GENDER_LABELS}
SplitChoice = Literal["any"] | Split
SPLIT_CHOICES: Final[Mapping[str, str]] = {"any": "All splits", **wording.SPLIT_LABELS}
FLAG_CHOICES: Final[Mapping[str, str]] = {"any": "Everybody", "starred": "Starred", "noted": "With notes"}
TRUNCATED_CHOICES: Final[Mapping[str, str]] = {"any": "Any", "cut": "Cut to fit", "whole": "Read whole"}
"""Whether the teacher's prompt held all of the case."""
SHARES: Final[Mapping[str, str]] = {
    "teacher_jaccard": "Teacher Jaccard",
    "student_jaccard": "Student Jaccard",
    "gap": "Gap between the models",
}
"""Filters that are a range from 0 to 1."""
LEASTS: Final[Mapping[str, str]] = {
    "prescribed_severe": "Severe alerts ordered",
    "suggested_severe": "Severe alerts suggested",
}
"""Filters that are a least number of alerts, contraindicated or major."""
SPREAD_CHOICES: Final[Mapping[str, str]] = {
    "age": "Age",
    "visits": "Visits",
    "diagnoses": "Diagnoses",
    "medications": "Drug classes",
    **SHARES,
    "prescribed_severe": LEASTS["prescribed_severe"],
}
"""What the distribution above the table can show; the later ones need stored scores."""
PAGE_SIZES: Final = (25, 50, 100)
DEFAULT_SORT: Final[Sort] = "patient_id"


@dataclass(frozen=True, slots=True)
class Filters:
    """What the worklist is filtered by; the defaults filter nothing."""

    text: str = ""
    visits: VisitChoice = "any"
    gender: str = "any"
    split: SplitChoice = "any"
    ages: tuple[int, int] = (0, OLDEST)
    chapters: tuple[str, ...] = ()
    teacher_jaccard: tuple[float, float] = (0.0, 1.0)
    student_jaccard: tuple[float, float] = (0.0, 1.0)
    gap: tuple[float, float] = (0.0, 1.0)
    prescribed_severe: int = 0  # at least
    suggested_severe: int = 0
    truncated: str = "any"
    marked: str = "any"  # starred, or with notes
    patient_ids: tuple[int, ...] | None = None  # the patients of `marked`
    cases: str = ""  # a selection of the error analysis, as it stands in a link
    case_ids: tuple[int, ...] = ()  # its patients
    cases_text: str = ""  # the selection in words

    @classmethod
    def of(cls, query: PatientQuery) -> Filters:
        """The filters of `query`; what the page cannot show (a fixed list of patients) is left out."""
        default = cls()
        shares = {name: (0.0, 1.0) if (v := getattr(query, name)) is None else _slider(v) for name in SHARES}
        leasts = {name: 0 if (v := getattr(query, name)) is None else v[0] for name in LEASTS}
        values: dict[str, Any] = {**shares, **leasts}
        return cls(
            text=query.text,
            visits=next((k for k, (_, v) in VISIT_CHOICES.items() if v == query.visits), default.visits),
            gender=query.genders[0] if query.genders else default.gender,
            split=query.splits[0] if query.splits else default.split,
            ages=default.ages if query.ages is None else (query.ages[0], min(query.ages[1], OLDEST)),
            chapters=query.chapters,
            truncated={True: "cut", False: "whole", None: "any"}[query.truncated],
            **values,
        )

    def query(
        self, sort: Sort = DEFAULT_SORT, descending: bool = False, page: int = 1, size: int = 25
    ) -> PatientQuery:
        """The query to the cohort."""
        low, high = self.ages
        return PatientQuery(
            text=self.text.strip(),
            patient_ids=self._only(),
            splits=() if self.split == "any" else (self.split,),
            genders=() if self.gender == "any" else (self.gender,),
            ages=None if self.ages == (0, OLDEST) else (low, _NO_LIMIT if high >= OLDEST else high),
            visits=VISIT_CHOICES[self.visits][1],
            chapters=self.chapters,
            teacher_jaccard=_within(self.teacher_jaccard),
            student_jaccard=_within(self.student_jaccard),
            gap=_within(self.gap),
            prescribed_severe=_at_least(self.prescribed_severe),
            suggested_severe=_at_least(self.suggested_severe),
            truncated={"cut": True, "whole": False}.get(self.truncated),
            sort=sort,
            descending=descending,
            page=page,
            page_size=size,
        )

    def _only(self) -> tuple[int, ...] | None:
        """The patients that stars, notes and a selection of cases leave; None where none of these is set."""
        marked = None if self.marked == "any" else self.patient_ids or ()
        if not self.cases:
            return marked
        return self.case_ids if marked is None else tuple(sorted({*marked} & {*self.case_ids}))

    def active(self) -> dict[str, str]:
        """The filters that are set, each in words."""
        default = Filters()
        texts = {
            "text": search.label(self.text),
            "visits": f"visits: {VISIT_CHOICES[self.visits][0].lower()}",
            "gender": f"sex: {GENDER_CHOICES.get(self.gender, self.gender).lower()}",
            "split": f"split: {SPLIT_CHOICES.get(self.split, self.split).lower()}",
            "ages": f"age {self.ages[0]} to {'100 or more' if self.ages[1] >= OLDEST else self.ages[1]}",
            "chapters": f"diagnosis in {listing(self.chapters, 'or')}",
            **{name: f"{label.lower()} {_range_text(getattr(self, name))}" for name, label in SHARES.items()},
            **{name: f"{label.lower()}: {getattr(self, name)} or more" for name, label in LEASTS.items()},
            "marked": f"only {FLAG_CHOICES.get(self.marked, self.marked).lower()}",
            "cases": f"cases chosen under Error analysis ({self.cases_text})",
            "truncated": f"prompt {TRUNCATED_CHOICES.get(self.truncated, self.truncated).lower()}",
        }
        set_here = [f.name for f in fields(self) if getattr(self, f.name) != getattr(default, f.name)]
        return {
            name: texts[name] for name in set_here if name in texts and (name != "text" or self.text.strip())
        }

    def without(self, name: str) -> Filters:
        return replace(self, **{name: getattr(Filters(), name)})


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A filter that can be removed, and how many patients that would show."""

    name: str
    words: str
    total: int


def relaxations(filters: Filters, total: Callable[[PatientQuery], int]) -> list[Relaxation]:
    """For a worklist without rows: each filter whose removal alone brings patients back, most patients first."""
    removals = [
        Relaxation(name, words, total(filters.without(name).query(size=1)))
        for name, words in filters.active().items()
    ]
    return sorted((each for each in removals if each.total), key=lambda each: -each.total)


def _within(limits: tuple[float, float]) -> tuple[float, float] | None:
    """A range, a little widened against rounding; None for the whole of it."""
    low, high = limits
    return None if (low, high) == (0.0, 1.0) else (low - 0.0005, high + 0.0005)


def _slider(limits: tuple[float, float]) -> tuple[float, float]:
    """Inverse of `_within`."""
    return max(0.0, round(limits[0], 2)), min(1.0, round(limits[1], 2))


def _at_least(number: int) -> tuple[int, int] | None:
    return (number, _NO_LIMIT) if number else None


def _range_text(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.2f} to {limits[1]:.2f}"


def read_share(text: str) -> tuple[float, float] | None:
    """Both ends from the URL ("0.20-0.60"); None for anything else.

    >>> read_share("0.20-0.60"), read_share("0.9-0.1"), read_share("-1-2"), read_share("much")
    ((0.2, 0.6), None, None, None)
    """
    low, _, high = text.partition("-")
    try:
        limits = float(low), float(high)
    except ValueError:
        return None
    return limits if 0.0 <= limits[0] <= limits[1] <= 1.0 else None


def write_share(limits: tuple[float, float]) -> str:
    """Inverse of `read_share`."""
    return f"{limits[0]:.2f}-{limits[1]:.2f}"


def read_sort(text: str) -> tuple[Sort, bool]:
    """Sort and direction from the URL ("age", "-age"); anything else is the default.

    >>> read_sort("-age"), read_sort("nonsense")
    (('age', True), ('patient_id', False))
    """
    name = text.removeprefix("-")
    return next(((s, text.startswith("-")) for s in SORTS if s == name), (DEFAULT_SORT, False))


def write_sort(sort: str, descending: bool) -> str:
    """Inverse of `read_sort`; empty for the default order."""
    written = ("-" if descending else "") + sort
    return "" if written == DEFAULT_SORT else written


def read_ages(text: str) -> tuple[int, int] | None:
    """Both ends from the URL ("30-70"); None for anything else.

    >>> read_ages("30-70"), read_ages("70-30"), read_ages("old")
    ((30, 70), None, None)
    """
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and len(text) < 10):
        return None
    ages = int(low), int(high)
    return ages if ages[0] <= ages[1] <= OLDEST else None


def write_ages(ages: tuple[int, int]) -> str:
    """Inverse of `read_ages`."""
    return f"{ages[0]}-{ages[1]}"
