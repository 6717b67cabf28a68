"""The case that a page is about: which one, its heading, and titles for its codes."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.server import audit
from dashboard.server.service import Service
from dashboard.shared import case_text, markup, navigation, session, start_cases, wording
from dashboard.shared.draft import session_draft
from dashboard.shared.markup import Titles
from dashboard.shared.session import Subject
from leader_core import LeaderError

_CHANGED: Final = (
    "This page is about the entered case before your latest changes. Recommend it again under New case."
)


def open_subject(service: Service, title: str) -> Subject | None:
    """The case that the link names; None where none is chosen, after drawing the page's title and links to choose one.

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
        st.html(markup.empty(wording.NO_CASE_TITLE, wording.NO_CASE))
        navigation.case_links()
        start_cases.show(service)
    else:
        start_cases.opened(subject.query)
        audit.record_opened(subject.audit_name)
    with st.container():  # a place of its own, so that the page keeps its place
        if subject is not None and subject.source == "draft" and session_draft().changed:
            st.html(markup.callout(_CHANGED, "warn"))
    return subject


def titles_of(service: Service) -> Titles:
    """A code's readable title, or the code itself where no table knows one."""
    return lambda kind, code: service.engine.cohort.title(kind, code) or code


def case_title(subject: Subject, level: int = 1) -> str:
    """Patient, person and visit in one line, as a heading of this level."""
    recorded = subject.source == "cohort"
    name = f"Patient {subject.patient_id}" if recorded else "Entered case"
    detail = case_text.case_summary(subject.case, recorded=recorded, admission=True, age=subject.age)
    return markup.title(name, detail, level)
