"""Case: who the patient is, what was done and given, and the teacher, the student and the prescription side by side."""

from __future__ import annotations

import streamlit as st

from dashboard import navigation, state, wording
from dashboard.components import markup, models_panel
from dashboard.components.subject import case_title, titles_of
from dashboard.service import Service, get_service, scores
from dashboard.state import Subject

_MOST_BUTTONS = 5


def draw() -> None:
    service = get_service()
    subject = state.subject(service)
    if subject is None:
        st.html(markup.title("Case"))
        navigation.no_case()
        return
    _head(service, subject)
    left, rest = st.columns([1, 3.4], gap="large")
    with rest:
        models_panel.show(service, subject, "case")
    with (
        left,
        st.container(key="person"),
    ):  # after the models: which fields were read is known with the scores
        _person(service, subject)


def _head(service: Service, subject: Subject) -> None:
    """Who, which visit, and the ways to the other pages about this case."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(case_title(subject), width="content")
        st.space("stretch")
        if subject.source == "cohort":
            _visit_choice(service, subject)
            st.toggle(
                "Hide what was prescribed",
                key=state.HIDE,
                persist_state="session",
                help="For demonstrations: what this visit was given, and every figure that follows from it.",
            )
        if st.button(
            "Edit a copy",
            icon=":material/edit:",
            type="tertiary",
            help="Opens the case under New case; the patient stays as recorded.",
        ):
            state.start_from(subject.case, service)
            navigation.go("new")


def _visit_choice(service: Service, subject: Subject) -> None:
    """The patient's visits; the widget is a new one for each visit, so that the URL alone decides which is open."""
    total = service.engine.cohort.case(subject.patient_id or 0).current.visit_no or 1
    if total < 2 or subject.visit_no is None:
        return
    numbers = list(range(1, total + 1))
    key = f"visit-{subject.patient_id}-{subject.visit_no}"
    chosen: int | None
    if total <= _MOST_BUTTONS:
        chosen = st.segmented_control(
            "Visit", numbers, default=subject.visit_no, required=True, key=key,
            format_func=lambda n: f"Visit {n}", label_visibility="collapsed",
        )  # fmt: skip
    else:
        chosen = st.selectbox(
            "Visit", numbers, index=subject.visit_no - 1, key=key,
            format_func=lambda n: f"Visit {n} of {total}", label_visibility="collapsed", width=150,
        )  # fmt: skip
    if chosen is not None and chosen != subject.visit_no:
        st.query_params[state.VISIT] = str(chosen)
        st.rerun()


def _person(service: Service, subject: Subject) -> None:
    case = subject.case
    titles = titles_of(service)
    student = scores(service, case, "student").recommendation
    st.html(
        markup.panel_title("Profile")
        + markup.profile(case, service.engine.cohort.profile_fields, student.profile_read if student else ())
        if student
        else markup.panel_title("Profile")
        + markup.facts(markup.profile_facts(case, service.engine.cohort.profile_fields))
    )
    if subject.patient_id is not None and service.learned_from(subject.patient_id):
        st.html(markup.callout(wording.TRAINING_OVERLAP, "warn"))
    if case.is_first_visit:
        st.html(markup.callout(wording.FIRST_VISIT, "student"))
    visits = [*case.history, case.current]
    st.html(
        markup.panel_title("Visits", "newest first")
        + markup.axis([v.admitted_at for v in visits], len(visits) - 1)
        + markup.timeline(case, titles, hide=state.hidden(subject))
    )
