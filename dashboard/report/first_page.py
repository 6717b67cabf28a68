"""The first page of a case's report, for a colleague who has a minute: who, problems, alerts, and each class with its reason.

It is cut to what one A4 page holds; whatever is left out is counted, and stands in the appendix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from dashboard.interactions.alerts import AlertGroup
from dashboard.report.content import CaseReport, ReviewPart
from dashboard.shared import wording
from dashboard.shared.case_text import VisitText, short_title
from dashboard.shared.comparison import Row
from dashboard.shared.formatting import count, listing
from leader_core.domain import ModelName, Severity
from leader_core.evaluation.trust import FEW

_LIKE: Final = "Of 100 alike"
LIKE_NOTE: Final = (
    "Of 100 alike: of 100 validation patients whom the student scored like this, how many had the class ordered; "
    f"empty below {FEW} patients."
)
_RAISED: Final = "Points to it most"
RAISED_NOTE: Final = (
    "Points to it most: without it, the student's score falls furthest; the appendix names more."
)
NOTHING_ALONE: Final = "no single entry of the case"
_TITLE: Final = 64  # characters of a reason in a table
_LINES: Final = 77  # lines of small type that the page holds below its title
_WIDE: Final = 132  # characters of such a line
_PAPER: Final = 186.0  # mm of such a line


@dataclass(frozen=True, slots=True)
class AlertLine:
    """Alerts that say the same: what happens, and what to do."""

    rank: Severity
    title: str
    effect: str
    management: str

    @property
    def lines(self) -> int:
        return _lines(f"{self.rank}    {self.title}. {self.effect} To do: {self.management}")


class ClassColumn(NamedTuple):
    """A column of the list of classes."""

    heading: str
    look: str = ""  # "teacher", "student", "like" or "reason"
    width: float = 0.0  # mm on paper; 0 for what is left


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes of one kind of agreement: a line for each of the first, and the names of the others."""

    label: str
    lines: tuple[tuple[str, ...], ...]  # a text for each column
    more: str


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The page as it is set; the numbers of what more there is stand in the appendix."""

    problems: str
    allergies: str
    procedures: str
    history: str  # of the earlier visits
    alert_heading: str
    alerts: tuple[AlertLine, ...]  # most severe first
    more_alerts: str
    columns: tuple[ClassColumn, ...]
    classes: tuple[ClassList, ...]
    notes: tuple[str, ...]


class Limits(NamedTuple):
    """How much of each list is set."""

    problems: int
    severe: int
    lesser: int
    classes: int  # of each list but the last
    agreed: int  # of the last: ordered and suggested


_LADDER: Final = (
    Limits(40, 20, 20, 40, 40),
    Limits(40, 14, 8, 40, 30),
    Limits(40, 12, 5, 30, 22),
    Limits(40, 12, 4, 20, 16),
    Limits(36, 12, 3, 16, 12),
    Limits(32, 10, 2, 14, 10),
    Limits(28, 9, 1, 12, 8),
    Limits(24, 8, 0, 10, 6),
    Limits(20, 7, 0, 8, 5),
    Limits(16, 6, 0, 6, 4),
    Limits(10, 4, 0, 4, 3),
)  # from everything to what fits at the worst


def first_page(report: CaseReport) -> FirstPage:
    """The fullest page that fits."""
    pages = (_page(report, limits) for limits in _LADDER)
    return next((page for page in pages if _height(page) <= _LINES), None) or _page(report, _LADDER[-1])


def _page(report: CaseReport, limits: Limits) -> FirstPage:
    current = next(visit for visit in report.visits if visit.current)
    alerts, more = _alerts(report.review, limits)
    return FirstPage(
        problems=_some([short_title(title) for title, _ in current.diagnoses], limits.problems),
        allergies="; ".join(report.allergies),
        procedures=_some([title for title, _ in current.procedures], limits.problems // 2),
        history=_history(report.visits, limits.problems // 2),
        alert_heading=_alert_heading(report.review),
        alerts=alerts,
        more_alerts=more,
        columns=tuple(_columns(report)),
        classes=_classes(report, limits),
        notes=_notes(report),
    )


def _some(titles: Sequence[str], most: int) -> str:
    """ "Atrial flutter; Hyperpotassemia; and 12 more, see the appendix" """
    shown = list(titles) if len(titles) <= most + 1 else list(titles[:most])
    more = [f"and {len(titles) - len(shown)} more, see the appendix"] if len(shown) < len(titles) else []
    return "; ".join([*shown, *more])


def _history(visits: Sequence[VisitText], most: int) -> str:
    """How many visits there were before, when the last was, and what of it is not ordered any more."""
    if len(visits) < 2:
        return "none: this is the first visit"
    current = visits[0]
    text = count(len(visits) - 1, "earlier visit")
    text += f", the last {current.gap} before this one" if current.gap else ""
    if current.stopped:
        text += f"; not ordered any more: {_some([title for title, _ in current.stopped], max(most, 4))}"
    return text


def _alert_heading(review: ReviewPart) -> str:
    if review.carried_counts:
        return f"Alerts with the drugs ordered: {review.carried_counts}"
    return "Severe alerts if a suggested drug is chosen; the lesser ones are in the appendix"


def _alerts(review: ReviewPart, limits: Limits) -> tuple[tuple[AlertLine, ...], str]:
    """Those of the drugs ordered, and where these are not known the severe ones of what is suggested."""
    parts = list(review.carried) if review.carried_counts else [p for p in review.if_chosen if p.severe]
    severe = [part for part in parts if part.severe]
    lesser = [part for part in parts if not part.severe]
    shown = [*severe[: limits.severe], *lesser[: limits.lesser]]
    more = []
    if left := severe[limits.severe :]:
        names = "; ".join(title for part in left for title, _ in part.heads)
        more.append(f"Also {listing(dict.fromkeys(part.rank for part in left))}, see the appendix: {names}.")
    if left := lesser[limits.lesser :]:
        numbers = (
            f"{sum(len(part.alerts) for part in left if part.rank == rank)} {rank}"
            for rank in dict.fromkeys(part.rank for part in left)
        )
        more.append(f"And {listing(numbers)} more, see the appendix.")
    return tuple(map(_line, shown)), " ".join(more)


def _line(part: AlertGroup) -> AlertLine:
    titles = "; ".join(f"{title} ({likelihood})" if likelihood else title for title, likelihood in part.heads)
    return AlertLine(
        part.rank,
        titles[:1].upper() + titles[1:],
        " ".join(part.effect.split()),
        " ".join(part.management.split()),
    )


_LABELS: Final[Mapping[str, str]] = {
    "both": "Both models suggest, not ordered",
    "missed": "Ordered, neither model suggests",
    "one": "One model suggests, not ordered",
    "held": "Suggested, but held back: a diagnosis speaks against it",
    "ordered": "Ordered and suggested",
}  # what to think about first, what everybody agrees on last


def _label(kind: str, report: CaseReport) -> str:
    if not report.models:
        return "Ordered"
    text = _LABELS[kind]
    if len(report.models) == 1:
        text = {"both": "Suggested, not ordered", "missed": "Ordered, not suggested"}.get(kind, text)
    return text if report.prescribed_known else text.removesuffix(", not ordered")


def _kind(row: Row, models: Sequence[ModelName]) -> str:
    """Which list a class stands in; none where nobody ordered it and no model suggests it."""
    number = len(row.suggested)
    if row.held:
        return "held"
    if row.prescribed:
        return "ordered" if number else "missed"
    return ("both" if number == len(models) else "one") if number else ""


def _classes(report: CaseReport, limits: Limits) -> tuple[ClassList, ...]:
    names, models = report.drug_names, [part.name for part in report.models]
    every = sorted(
        (row for group in report.groups for row in group.rows), key=lambda row: (-row.rank, row.code)
    )
    lists = []
    for kind in _LABELS:
        rows = [row for row in every if _kind(row, models) == kind]
        most = limits.agreed if kind == "ordered" or not report.models else limits.classes
        shown = rows if len(rows) <= most + 1 else rows[:most]
        lines = tuple(tuple(_class_line(row, report)) for row in shown)
        if rows:
            label = f"{_label(kind, report)} ({len(rows)})"
            rest = rows[len(shown) :]
            others = "; ".join(listing(names.get(row.code, ())) or row.title for row in rest)
            more = f"And {len(rows) - len(shown)} more, see the appendix: {others}." if others else ""
            lists.append(ClassList(label, lines, more))
    return tuple(lists)


def _columns(report: CaseReport) -> Iterator[ClassColumn]:
    yield ClassColumn("Class", width=55.0)
    if report.prescribed_known:
        yield ClassColumn("Ordered as", width=46.0)
    for part in report.models:
        yield ClassColumn(wording.MODEL_LABELS[part.name], part.name, 11.5)
    if report.like:
        yield ClassColumn(_LIKE, "like", 16.0)
    if report.reasons is not None:
        yield ClassColumn(_RAISED, "reason")


def _class_line(row: Row, report: CaseReport) -> Iterator[str]:
    """The texts of a class, in the order of `_columns`."""
    yield row.title
    if report.prescribed_known:
        yield (listing(report.drug_names.get(row.code, ())) or "ordered") if row.prescribed else ""
    for part in report.models:
        yield "✓" if part.name in row.suggested else ""
    if report.like:
        trust = report.like.get(row.code)
        known = trust is not None and trust.like.value is not None and trust.like.whole >= FEW
        yield f"{100 * (trust.like.value or 0.0):.0f}" if trust is not None and known else ""
    if report.reasons is not None:
        reasons = report.reasons.get(row.code, ())
        if not row.suggested or not report.reasons:
            yield ""
        else:
            yield _short(reasons[0].text) if reasons else NOTHING_ALONE


def _short(text: str) -> str:
    """A title as a table has room for it; in the appendix it stands in full."""
    return text if len(text) <= _TITLE else f"{text[:_TITLE].rsplit(' ', 1)[0].rstrip(' ,')}…"


def _notes(report: CaseReport) -> tuple[str, ...]:
    warnings = (text for part in report.models for text in part.warnings)
    notes = [*warnings, *([LIKE_NOTE] if report.like else []), *([RAISED_NOTE] if report.reasons else [])]
    if report.models and report.reasons is None:
        notes.append(
            "What raised each score is not in this report: the student was not loaded when it was made."
        )
    return tuple(notes)


def _lines(text: str) -> int:
    return math.ceil(len(text) / _WIDE)


def _row_lines(texts: Sequence[str], widths: Sequence[float]) -> float:
    """Lines that a row of the table takes: of its longest text, broken between words, with the rule below."""
    sized = zip(texts, widths, strict=True)
    return 0.07 + max(math.ceil(len(text) * _PAPER / _WIDE / (width - 1.5)) for text, width in sized)


def _height(page: FirstPage) -> float:
    """Lines that the page takes: paragraphs and the rows of the table by their length, headings as they are set."""
    prose = sum(
        _lines(text)
        for text in (page.problems, page.allergies, page.procedures, page.history, *page.notes)
        if text
    )
    alerts = sum(1.15 * alert.lines for alert in page.alerts) + _lines(page.more_alerts)
    rest = _PAPER - sum(column.width for column in page.columns)
    widths = [column.width or rest for column in page.columns]
    classes = sum(
        1.3 + sum(_row_lines(line, widths) for line in group.lines) + _lines(group.more)
        for group in page.classes
    )
    return prose + alerts + classes + 8
