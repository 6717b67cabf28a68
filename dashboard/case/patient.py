"""The patient of a case: the profile, the visits on a time axis, and the visits in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from dashboard.server.service import Service
from dashboard.shared import case_text, markup, session, wording
from dashboard.shared.formatting import count, day, listing
from dashboard.shared.markup import Titles
from dashboard.shared.page_case import titles_of
from dashboard.shared.session import Subject
from dashboard.shared.templates import macro
from leader_core import Case

_TEMPLATE = "case/patient.html"


def show(service: Service, subject: Subject, heading: str, read: Sequence[str] | None = None) -> None:
    """Profile and visits; `read` names the profile fields that the student read, None where that is not known."""
    case, fields = subject.case, service.engine.cohort.profile_fields
    recorded = markup.facts(case_text.profile_facts(case, fields))
    st.html(markup.panel_title(heading) + (recorded if read is None else profile(case, fields, read)))
    if subject.patient_id is not None and service.learned_from(subject.patient_id):
        st.html(markup.callout(wording.TRAINING_OVERLAP, "warn"))
    _first_visit(subject)
    st.html(markup.panel_title("Visits", "newest first") + _visits(service, subject))


def show_clinical(service: Service, subject: Subject) -> None:
    """Problems and visits as a clinician reads them; the profile is folded, as only the student reads it."""
    _first_visit(subject)
    pairs = case_text.profile_facts(subject.case, service.engine.cohort.profile_fields)
    st.html(
        markup.panel_title("Problems and visits", "newest first" if subject.case.history else "")
        + _visits(service, subject, plain=True)
        + macro("folded_profile", _TEMPLATE)(pairs)
    )


def _first_visit(subject: Subject) -> None:
    """What a first visit means."""
    if subject.case.is_first_visit:
        st.html(markup.callout(wording.FIRST_VISIT, "student"))


def _visits(service: Service, subject: Subject, *, plain: bool = False) -> Markup:
    """What their order rests on, the visits on a time axis, and each in full."""
    case = subject.case
    moments = [visit.admitted_at for visit in (*case.history, case.current)]
    return (
        undated(case, service.engine.cohort.unordered_visits)
        + axis(moments, len(moments) - 1)
        + timeline(case, titles_of(service), hide=session.hidden(subject), plain=plain)
    )


def profile(case: Case, fields: Sequence[str], read: Sequence[str]) -> Markup:
    """The demographic profile, and which fields of it the student reads."""
    pairs = case_text.profile_facts(case, fields)
    return macro("profile", _TEMPLATE)(pairs, case_text.profile_read(read))


def timeline(case: Case, titles: Titles, *, hide: bool = False, plain: bool = False) -> Markup:
    """Visits, newest first: what was diagnosed and done, what was ordered, what is new and what stopped.

    With `hide`, the orders of the current visit stay out. With `plain`, codes stand on hover only.
    """
    visits = case_text.visit_texts(case.observed() if hide else case, titles)
    return macro("timeline", _TEMPLATE)(visits, plain)


def undated(case: Case, unordered_visits: Callable[[int], Sequence[int]]) -> Markup:
    """What the order of a cohort's visits without dates rests on, and of which it is not known; empty where there are dates.

    Args:
        case: of one visit it has no order either.
        unordered_visits: the numbers of a patient's visits whose order is not known.
    """
    if (
        not case.history
        or case.patient_id is None
        or any(v.admitted_at for v in (*case.history, case.current))
    ):
        return Markup()
    unordered = unordered_visits(case.patient_id)
    known = (
        wording.ORDER_UNKNOWN.format(visits=listing(map(str, unordered)))
        if unordered
        else wording.ORDER_KNOWN
    )
    return markup.note(f"{wording.UNDATED_VISITS} {known}")


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


def tag(text: str, *, warn: bool = False) -> Markup:
    """A few words in a box; with `warn`, in the colour of a warning."""
    return macro("tag", _TEMPLATE)(text, warn)


def muted(text: str) -> Markup:
    return macro("muted", _TEMPLATE)(text)


def differences(table: Markup) -> Markup:
    """A table of what differs between two cases."""
    return macro("differences", _TEMPLATE)(table)
