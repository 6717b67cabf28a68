"""The clinician's view of a case: problems and visits first, then what the models say as cards."""

from __future__ import annotations

import functools

import streamlit as st

from dashboard.case import patient
from dashboard.report import download
from dashboard.scores import clinician_panel, decide_first, notes
from dashboard.server.service import Service
from dashboard.shared import session, url_state
from dashboard.shared.session import Subject


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
            clinician_panel.show(service, subject, functools.partial(download.show, service, subject))
            if subject.patient_id is not None:
                with st.expander("Notes and tags"):
                    notes.show(service, subject.patient_id, subject.case.current.visit_id)
    link = session.query_for(subject)
    session.remember_open_case(link)
    url_state.publish("case", {**link, **session.focus_query()})
