"""The case that a page is about: which one, its heading, and titles for its codes."""

from __future__ import annotations

import streamlit as st

from dashboard.server.service import Service
from dashboard.shared import markup, navigation, session, wording
from dashboard.shared.formatting import count, day, escape, stay, tag, words
from dashboard.shared.markup import Titles
from dashboard.shared.session import Subject
from leader_core import UNKNOWN, LeaderError


def opened(service: Service, title: str) -> Subject | None:
    """The case that the link names; None where none is chosen, with the page's title and a way on drawn.

    Raises:
        LeaderError: a case that is not there; the page's title is drawn, for the sentence to stand under.
    """
    try:
        subject = session.subject(service)
    except LeaderError:
        st.html(markup.title(title))
        raise
    if subject is None:
        st.html(markup.title(title))
        navigation.no_case()
    return subject


def titles_of(service: Service) -> Titles:
    """A code's readable title, or the code itself where no table knows one."""
    return lambda kind, code: service.engine.cohort.title(kind, code) or code  # type: ignore[arg-type]


def case_title(subject: Subject, level: int = 1) -> str:
    """Patient, person and visit in one line, as a heading of this level."""
    case = subject.case
    who = person(subject)
    if subject.source == "draft":
        visits = count(len(case.history), "earlier visit") if case.history else "first visit"
        return tag(
            "div",
            tag(f"h{level}", "Entered case"),
            tag("p", escape(f"{who} · {visits} · not in the cohort")),
            css="ld-title",
        )
    current = case.current
    parts = [
        who,
        f"visit {current.visit_no or len(case.history) + 1}",
        f"admitted {day(current.admitted_at)}",
    ]
    parts += [length] if (length := stay(current.admitted_at, current.discharged_at)) else []
    kind = case.profile["admission_type"]
    parts += [words(kind).lower()] if kind != UNKNOWN else []
    return tag(
        "div",
        tag(f"h{level}", escape(f"Patient {subject.patient_id}")),
        tag("p", escape(" · ".join(parts))),
        css="ld-title",
    )


def person(subject: Subject) -> str:
    """Age band and gender in words."""
    profile = subject.case.profile
    gender = wording.GENDER_LABELS.get(profile["gender"], "")
    age = profile["age_band"]
    if age == UNKNOWN and not gender:
        return "age and gender not given"
    return f"{gender or 'Gender not given'}, {age if age != UNKNOWN else 'age not given'}" + (
        " years" if age != UNKNOWN else ""
    )
