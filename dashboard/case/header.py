"""The head of a case: who and when, the way through the worklist, how the case is shown, and what can be done with it."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.case import pinned
from dashboard.scores import notes
from dashboard.server.service import Service
from dashboard.shared import navigation, session, stepping, wording
from dashboard.shared.formatting import escape, tag
from dashboard.shared.session import Subject
from dashboard.shared.subject import case_title
from leader_core.cohort import PatientQuery

LISTED: Final = "_listed"
"""Session key of the worklist as it was last shown (a `PatientQuery`)."""
_PLACE: Final = "_place"
_MOST_BUTTONS: Final = 5


def show(service: Service, subject: Subject) -> None:
    """Two rows: title and steps; then visit, way of showing, and actions."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="case_head"):
        st.html(case_title(subject), width="content")
        if subject.patient_id is not None:
            _split(service, subject.patient_id)
        st.space("stretch")
        if subject.source == "cohort":
            _steps(service, subject)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="case_tools"):
        if subject.source == "cohort":
            _visit_choice(service, subject)
            with st.container(key="view_choice", width="content"):
                _view_choice()
        st.space("stretch")
        if subject.patient_id is not None:
            notes.star(service, subject.patient_id)
            pinned.tools(subject)
        if st.button(
            "Edit a copy",
            icon=":material/edit:",
            type="tertiary",
            help="Opens the case under New case; the patient stays as recorded.",
        ):
            session.start_from(subject.case, service)
            navigation.go("new")


def _split(service: Service, patient_id: int) -> None:
    """Which split the patient is in, as a warning where a model that is served learned from them."""
    split = wording.SPLIT_LABELS.get(service.split(patient_id), "")
    if split:
        seen = service.learned_from(patient_id)
        st.html(
            tag("span", escape(f"{split} split"), css="ld-tag warn" if seen else "ld-tag"), width="content"
        )


def _view_choice() -> None:
    """Everything, without the prescription, or decide first; the same for every case from now on."""
    chosen = st.segmented_control(
        "How the case is shown",
        list(session.VIEWS),
        key=session.VIEW,
        default="all",
        required=True,
        format_func=session.VIEWS.__getitem__,
        label_visibility="collapsed",
    )
    session.set_view(str(chosen or "all"))


def _steps(service: Service, subject: Subject) -> None:
    """Previous and next case of the worklist that was open, and where this one stands in it."""
    found = place(service, subject.patient_id or 0)
    if found is None:
        return
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", width="content", key="steps"
    ):
        _step(service, "Previous", "step_previous", ":material/chevron_left:", found.previous)
        st.html(tag("span", f"{found.number:,} of {found.total:,}", css="ld-muted"), width="content")
        _step(service, "Next", "step_next", ":material/chevron_right:", found.next)


def _step(service: Service, label: str, key: str, icon: str, to: stepping.Step | None) -> None:
    """A button, not a link: Streamlit forgets the parameters of a link to the page that is open."""
    st.button(
        label,
        icon=icon,
        icon_position="right" if key == "step_next" else "left",
        type="tertiary",
        disabled=to is None,
        key=key,
        on_click=_go,
        args=(service, key == "step_next"),
    )


def _go(service: Service, forward: bool) -> None:
    """One step from the case in the link: a key pressed again before the page is redrawn steps on from there."""
    given = session.asked().get(session.PATIENT, "")
    found = place(service, int(given)) if given.isdecimal() else None
    to = (found.next if forward else found.previous) if found is not None else None
    if to is not None:
        session.open_case(to.patient_id, to.visit_no)


def place(service: Service, patient_id: int) -> stepping.Place | None:
    """Where the patient stands in the worklist as it was last shown; looked up once for each."""
    listed = st.session_state.get(LISTED) or PatientQuery()
    kept = st.session_state.get(_PLACE)
    if kept is None or kept[:2] != (listed, patient_id):
        near = kept[2].number if kept is not None and kept[0] == listed and kept[2] is not None else None
        kept = (listed, patient_id, stepping.place(service.engine.cohort.patients, listed, patient_id, near))
        st.session_state[_PLACE] = kept
    found: stepping.Place | None = kept[2]
    return found


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
        st.query_params[session.VISIT] = str(chosen)
        st.rerun()
