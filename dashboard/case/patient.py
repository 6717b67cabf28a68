"""The patient of a case as HTML: the profile, the visits on a time axis, and the visits in full."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from dashboard.shared import case_text
from dashboard.shared.formatting import count, day
from dashboard.shared.markup import Titles
from dashboard.shared.templates import macro
from leader_core import Case

_TEMPLATE = "case/patient.html"


def profile(case: Case, fields: Sequence[str], read: Sequence[str]) -> Markup:
    """The demographic profile, and which fields of it the student reads."""
    pairs = case_text.profile_facts(case, fields)
    return macro("profile", _TEMPLATE)(pairs, case_text.profile_read(read))


def timeline(case: Case, titles: Titles, *, hide: bool = False) -> Markup:
    """Visits, newest first: what was diagnosed and done, what was given, what is new and what stopped.

    With `hide`, what the current visit was given stays out.
    """
    visits = case_text.visit_texts(case.observed() if hide else case, titles)
    return macro("timeline", _TEMPLATE)(visits)


def axis(moments: Sequence[datetime | None], current: int) -> Markup:
    """Visits as points on one time axis, to scale; empty where there are no dates or only one visit."""
    known = [(i, moment) for i, moment in enumerate(moments) if moment is not None]
    if len(known) < 2:
        return Markup()
    first, last = known[0][1], known[-1][1]
    span = max((last - first).total_seconds(), 1.0)
    marks = [
        {
            "current": i == current,
            "left": f"{100 * (moment - first).total_seconds() / span:.2f}",
            "day": day(moment),
        }
        for i, moment in known
    ]
    description = f"{count(len(known), 'visit')} from {day(first)} to {day(last)}"
    return macro("axis", _TEMPLATE)(marks, day(first), day(last), description)
