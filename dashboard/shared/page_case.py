"""The case that a page is about: which one, its heading, titles for its codes."""

from __future__ import annotations

from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.server import audit
from dashboard.server.service import Service
from dashboard.shared import (
    case_text,
    markup,
    navigation,
    session,
    start_cases,
    url_state,
    view_switch,
    wording,
)
from dashboard.shared.draft import session_draft
from dashboard.shared.markup import Titles
from dashboard.shared.session import Subject
from leader_core import LeaderError

_CHANGED: Final = (
    "This page is about the entered case before your latest changes. Recommend it again under New case."
)


def open_subject(service: Service, page: str) -> Subject | None:
    """The case that the link names; None where none is chosen, after drawing the page's title and links to choose one.

    `page` is the page's path.

    Raises:
        LeaderError: a case that is not there; the page's title is drawn, for the sentence to stand under.
    """
    title = navigation.PAGES[page][0]
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
        url_state.publish(page, {})  # a reload keeps the student and the view
    else:
        start_cases.remember(subject.query)
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


def header(subject: Subject, path: str, label: str) -> DeltaGenerator:
    """The case's heading in a row with links back to it and to another page; gives the row, for what more stands in it."""
    query = session.query_for(subject)
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with row:
        st.html(case_title(subject), width="content")
        st.space("stretch")
        navigation.link("case" if subject.source == "cohort" else "new", "Back to the case", query)
        if view_switch.is_research() or path not in navigation.RESEARCH_PAGES:
            navigation.link(path, label, query)
    return row
