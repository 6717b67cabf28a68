"""The clinician's view of a case: problems and visits first, then what the models say as cards."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.case import patient
from dashboard.interactions import sets
from dashboard.report import download
from dashboard.scores import clinician_cards, decide_first, notes, trust_panel
from dashboard.server.answers import all_scores
from dashboard.server.service import Service
from dashboard.shared import navigation, session, url_state, wording
from dashboard.shared.session import Subject

_HOLD: Final = "hold_clinician"


def show(service: Service, subject: Subject) -> None:
    left, right = st.columns([1, 2.2], gap="large")
    with left, st.container(key="person"):
        patient.show_clinical(service, subject)
    with right:
        if session.undecided(subject):
            with st.container(key="classes"):
                decide_first.choose(service, subject)
                decide_first.own_alerts(service, subject)
        else:
            _answers(service, subject)
    link = session.query_for(subject)
    session.remember_open_case(link)
    url_state.publish("case", {**link, **session.focus_query()})


def _answers(service: Service, subject: Subject) -> None:
    scores = all_scores(service, subject.case)
    recommendations = {
        name: answer.recommendation for name, answer in scores.items() if answer.recommendation is not None
    }
    against = sets.held_back(service, subject.case, recommendations)
    held = against if session.holding_back() else {}
    recommendations = sets.without(recommendations, held)
    clinician_cards.show_states(service, subject.case, scores)
    clinician_cards.show(
        service,
        subject.case,
        recommendations,
        sets.known_drugs(service, subject),
        held,
        focus=session.focused_class(),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="case_files"):
        if session.view() == "decide":
            decide_first.start_again(subject)
        if against:
            _hold_back()
        navigation.link("interactions", "All alerts and safer set", session.query_for(subject))
        if recommendations:
            near = trust_panel.find_similar(service, subject.case)
            similar = trust_panel.similar_result(service, near)
            download.show(service, subject, recommendations, similar, held)
    if subject.patient_id is not None:
        with st.expander("Notes and tags"):
            notes.show(service, subject.patient_id, subject.case.current.visit_id)


def _hold_back() -> None:
    """The switch for classes that the patient's conditions forbid; on unless somebody chose otherwise."""
    st.session_state[_HOLD] = session.holding_back()
    st.toggle(
        "Leave out what this patient's conditions forbid",
        key=_HOLD,
        help=wording.HOLD_BACK_CLINICIAN,
        on_change=lambda: session.hold_back(st.session_state[_HOLD]),
    )
