"""Case: who the patient is, what was done and given, and the teacher, the student and the prescription side by side."""

from __future__ import annotations

import streamlit as st

from dashboard import address, state, tour, wording
from dashboard.components import beside, case_head, guide, markup, models_panel, pinned
from dashboard.components.subject import opened, titles_of
from dashboard.service import ModelName, Scores, Service, ask, get_service, scores
from dashboard.state import Subject
from leader_core import Case

_BINDINGS = {
    state.VIEW: address.Binding.choice("all", state.VIEWS),
    state.BESIDE: address.Binding("", state.read_beside),
    **pinned.BINDINGS,
    **models_panel.BINDINGS,
}


def draw() -> None:
    service = get_service()
    step = tour.read_step(st.query_params.get(tour.TOUR, ""))
    if step is not None and not {state.PATIENT, state.CASE} & set(st.query_params):
        _begin_tour(service, step)
    subject = opened(service, "Case")
    if subject is None:
        return
    _enter(subject)
    case_head.show(service, subject)
    if st.session_state[state.BESIDE] and subject.source == "cohort":
        pinned.show(service, subject)
    else:
        _panels(service, subject)
    if step is not None:
        guide.show()


def _enter(subject: Subject) -> None:
    """Take how the case is shown from the link; a link that does not say leaves the session's way."""
    asked = {**beside.kept(), **state.asked()}
    if asked.get(state.VIEW) is None:
        asked[state.VIEW] = state.view()
    address.enter(models_panel.identity(subject, "case"), _BINDINGS, asked)
    state.set_view(st.session_state[state.VIEW])


def _begin_tour(service: Service, step: int) -> None:
    """Open the tour's own case, shown whole."""
    with st.spinner("Choosing a case for the tour…"):
        found = tour.prepared(service, lambda case, name: _patiently(service, case, name))
    if found is None:
        return
    state.set_view("all")
    guide.begin()
    st.query_params.from_dict({**state.case_query(*found), tour.TOUR: str(step)})


def _patiently(service: Service, case: Case, name: ModelName) -> Scores:
    return scores(service, case, name, patience=10.0)


def _panels(service: Service, subject: Subject) -> None:
    ask(service, subject.case)  # they answer while the page is drawn
    left, rest = st.columns([1, 3.4], gap="large")
    with rest:
        models_panel.show(service, subject, "case")
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
            markup.profile(case, fields, student.profile_read)
            if student
            else markup.facts(markup.profile_facts(case, fields))
        )
    )
    if subject.patient_id is not None and service.learned_from(subject.patient_id):
        st.html(markup.callout(wording.TRAINING_OVERLAP, "warn"))
    if case.is_first_visit:
        st.html(markup.callout(wording.FIRST_VISIT, "student"))
    visits = [*case.history, case.current]
    st.html(
        markup.panel_title("Visits", "newest first")
        + markup.axis([v.admitted_at for v in visits], len(visits) - 1)
        + markup.timeline(case, titles_of(service), hide=state.hidden(subject))
    )
