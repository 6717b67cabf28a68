"""Case: who the patient is, what was done and ordered, and the teacher, the student and the orders side by side."""

from __future__ import annotations

import functools
from typing import Final

import streamlit as st

from dashboard.case import banner, patient, pinned
from dashboard.report import download
from dashboard.scores import decide_first, notes, panel
from dashboard.server.answers import score_now, scores
from dashboard.server.service import Service, get_service
from dashboard.shared import draft, navigation, session, stepping, url_state, view_switch, wording
from dashboard.shared.page_case import open_subject
from dashboard.shared.session import Subject
from dashboard.shared.widgets import switch
from dashboard.tour import tour

_BINDINGS: Final = {
    session.VIEW: url_state.Binding.choice("all", session.VIEWS),
    **pinned.BINDINGS,
    **panel.BINDINGS,
}
_MOST_BUTTONS: Final = 5
"""More visits than this are chosen from a list."""


def draw() -> None:
    service = get_service()
    step = tour.read_step(st.query_params.get(tour.TOUR, ""))
    with (
        st.container()
    ):  # a place of its own: else all that follows would stand twice while it is drawn again
        if step is not None and not {session.PATIENT, session.CASE} & set(st.query_params):
            _begin_tour(service, step)
    subject = open_subject(service, "case")
    if subject is None:
        return
    _enter(subject)
    banner.show(service, subject)
    _tools(service, subject)
    if not view_switch.is_research():
        _clinician(service, subject)
    elif pinned.compared() and subject.source == "cohort":
        pinned.show(service, subject)
    else:
        _panels(service, subject)
    if step is not None:
        tour.show()


def _enter(subject: Subject) -> None:
    """Take how the case is shown from the link; a link that does not say leaves the session's way."""
    query = {session.VIEW: session.view(), **panel.kept(), **session.url_query()}
    url_state.enter(panel.identity(subject, "case"), _BINDINGS, query)
    session.set_view(st.session_state[session.VIEW])


def _begin_tour(service: Service, step: int) -> None:
    """Open the tour's own case, shown whole."""
    with st.spinner("Choosing a case for the tour…"):
        chosen = tour.prepared(service, functools.partial(score_now, service))
    if chosen is None:
        return
    was_research = view_switch.is_research()
    session.set_view("all")
    tour.begin()
    st.query_params.from_dict({**session.case_query(*chosen), tour.TOUR: str(step)})
    if was_research:  # the switch of the views was drawn before, and would say so still
        st.rerun()


def _tools(service: Service, subject: Subject) -> None:
    """Under the banner: visit, way of showing, actions, and the steps to the next case."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="case_tools"):
        if subject.source == "cohort":
            _visit_choice(service, subject)
            with st.container(key="view_choice", width="content"):
                _view_choice()
        if subject.patient_id is not None:
            _split(service, subject.patient_id)
        st.space("stretch")
        if subject.patient_id is not None:
            notes.star(service, subject.patient_id)
            if view_switch.is_research():
                pinned.tools(subject)
        if st.button(
            "Edit a copy",
            icon=":material/edit:",
            type="tertiary",
            help="Opens the case under New case; the patient stays as recorded.",
        ):
            draft.copy_case(subject.case, service)
            navigation.go("new")
        if subject.source == "cohort":
            _steps(service, subject)


def _split(service: Service, patient_id: int) -> None:
    """Which split the patient is in, for a clinician whether the models learned from them; a warning if they did."""
    if split := wording.SPLIT_LABELS.get(service.split(patient_id), ""):
        learned = service.learned_from(patient_id)
        plain = "Used to train the models" if learned else "Not used to train the models"
        text = f"{split} split" if view_switch.is_research() else plain
        st.html(patient.tag(text, warn=learned), width="content")


def _view_choice() -> None:
    """Everything, without the orders, or decide first; the same for every case from now on."""
    switch("How the case is shown", session.VIEWS, **url_state.mirror(session.VIEW))
    session.set_view(st.session_state[session.VIEW])


def _steps(service: Service, subject: Subject) -> None:
    """Previous and next case of the worklist that was open, and where this one stands in it."""
    position = stepping.session_position(service, subject.patient_id or 0)
    if position is None:
        return
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", width="content", key="steps"
    ):
        _step(service, "Previous", "left", forward=False, disabled=position.previous is None)
        st.html(patient.muted(f"{position.number:,} of {position.total:,}"), width="content")
        _step(service, "Next", "right", forward=True, disabled=position.next is None)


def _step(service: Service, label: str, side: str, *, forward: bool, disabled: bool) -> None:
    """A button, not a link: Streamlit forgets the parameters of a link to the page that is open."""
    st.button(
        label,
        icon=f":material/chevron_{side}:",
        icon_position="right" if forward else "left",
        type="tertiary",
        disabled=disabled,
        key=f"step_{label.lower()}",
        on_click=_go,
        args=(service, forward),
    )


def _go(service: Service, forward: bool) -> None:
    """One step from the case in the link: a key pressed again before the page is redrawn steps on from there."""
    patient_id = session.url_query().get(session.PATIENT, "")
    position = stepping.session_position(service, int(patient_id)) if patient_id.isdecimal() else None
    neighbour = (position.next if forward else position.previous) if position is not None else None
    if neighbour is not None:
        session.open_case(neighbour.patient_id, neighbour.visits)


def _visit_choice(service: Service, subject: Subject) -> None:
    """The patient's visits; the widget is a new one for each visit, so that the URL alone decides which is open."""
    total = service.engine.cohort.case(subject.patient_id or 0).current.visit_no or 1
    if total < 2 or subject.visit_no is None:
        return
    numbers = list(range(1, total + 1))
    key = f"visit-{subject.patient_id}-{subject.visit_no}"
    chosen: int | None
    if total <= _MOST_BUTTONS:
        chosen = switch("Visit", {n: f"Visit {n}" for n in numbers}, default=subject.visit_no, key=key)
    else:
        chosen = st.selectbox(
            "Visit",
            numbers,
            index=subject.visit_no - 1,
            key=key,
            format_func=lambda n: f"Visit {n} of {total}",
            label_visibility="collapsed",
            width=150,
        )
    if chosen is not None and chosen != subject.visit_no:
        st.query_params[session.VISIT] = str(chosen)
        st.rerun()


def _panels(service: Service, subject: Subject) -> None:
    left, rest = st.columns([1, 3.4], gap="large")
    with rest:
        panel.show(service, subject, "case", functools.partial(download.show, service, subject))
    with left, st.container(key="person"):  # after the models: the scores say which profile fields were read
        answer = scores(service, subject.case, "student")
        student = answer.recommendation if answer.stored_at is None else None  # stored scores do not say
        patient.show(service, subject, "Profile", read=student.profile_read if student is not None else None)


def _clinician(service: Service, subject: Subject) -> None:
    """The clinician's view: problems and visits first, then what the models say as cards."""
    left, right = st.columns([1, 2.2], gap="large")
    with left, st.container(key="person"):
        patient.show_clinical(service, subject)
    with right:
        if session.undecided(subject):
            with st.container(key="classes"):
                decide_first.choose(service, subject)
                decide_first.own_alerts(service, subject)
        else:
            panel.show_clinical(service, subject, functools.partial(download.show, service, subject))
            if subject.patient_id is not None:
                with st.expander("Notes"):
                    notes.show(service, subject.patient_id, subject.case.current.visit_id)
    link = session.query_for(subject)
    session.remember_open_case(link)
    url_state.publish("case", {**link, **session.focus_query()})
