"""Case: who the patient is, what was done and given, and the teacher, the student and the prescription side by side."""

from __future__ import annotations

import streamlit as st

from dashboard.case import header, patient, pinned
from dashboard.scores import panel, tabs
from dashboard.server.service import ModelName, Scores, Service, ask, get_service, scores
from dashboard.shared import case_text, markup, session, url_state, wording
from dashboard.shared.session import Subject
from dashboard.shared.subject import opened, titles_of
from dashboard.tour import guide, tour
from leader_core import Case

_BINDINGS = {
    session.VIEW: url_state.Binding.choice("all", session.VIEWS),
    session.BESIDE: url_state.Binding("", session.read_beside),
    **pinned.BINDINGS,
    **panel.BINDINGS,
}


def draw() -> None:
    service = get_service()
    step = tour.read_step(st.query_params.get(tour.TOUR, ""))
    if step is not None and not {session.PATIENT, session.CASE} & set(st.query_params):
        _begin_tour(service, step)
    subject = opened(service, "Case")
    if subject is None:
        return
    _enter(subject)
    header.show(service, subject)
    if st.session_state[session.BESIDE] and subject.source == "cohort":
        pinned.show(service, subject)
    else:
        _panels(service, subject)
    if step is not None:
        guide.show()


def _enter(subject: Subject) -> None:
    """Take how the case is shown from the link; a link that does not say leaves the session's way."""
    asked = {**tabs.kept(), **session.asked()}
    if asked.get(session.VIEW) is None:
        asked[session.VIEW] = session.view()
    url_state.enter(panel.identity(subject, "case"), _BINDINGS, asked)
    session.set_view(st.session_state[session.VIEW])


def _begin_tour(service: Service, step: int) -> None:
    """Open the tour's own case, shown whole."""
    with st.spinner("Choosing a case for the tour…"):
        found = tour.prepared(service, lambda case, name: _patiently(service, case, name))
    if found is None:
        return
    session.set_view("all")
    guide.begin()
    st.query_params.from_dict({**session.case_query(*found), tour.TOUR: str(step)})


def _patiently(service: Service, case: Case, name: ModelName) -> Scores:
    return scores(service, case, name, patience=10.0)


def _panels(service: Service, subject: Subject) -> None:
    ask(service, subject.case)  # they answer while the page is drawn
    left, rest = st.columns([1, 3.4], gap="large")
    with rest:
        panel.show(service, subject, "case")
    with (
        left,
        st.container(key="person"),
    ):  # after the models: which fields were read is known with the scores
        _person(service, subject)


def _person(service: Service, subject: Subject) -> None:
    case = subject.case
    found = scores(service, case, "student")
    # Stored scores do not say which fields were read.
    student = found.recommendation if found.stored_at is None else None
    fields = service.engine.cohort.profile_fields
    st.html(
        markup.panel_title("Profile")
        + (
            patient.profile(case, fields, student.profile_read)
            if student
            else markup.facts(case_text.profile_facts(case, fields))
        )
    )
    if subject.patient_id is not None and service.learned_from(subject.patient_id):
        st.html(markup.callout(wording.TRAINING_OVERLAP, "warn"))
    if case.is_first_visit:
        st.html(markup.callout(wording.FIRST_VISIT, "student"))
    visits = [*case.history, case.current]
    st.html(
        markup.panel_title("Visits", "newest first")
        + patient.axis([v.admitted_at for v in visits], len(visits) - 1)
        + patient.timeline(case, titles_of(service), hide=session.hidden(subject))
    )
