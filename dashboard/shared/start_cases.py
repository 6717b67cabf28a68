"""Cases to start with where none is open: those opened recently, and examples of the cohort."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import streamlit as st

from dashboard.server.access import account_name
from dashboard.server.service import Service
from dashboard.shared import case_text, markup, session, wording
from dashboard.shared.formatting import count, plain
from leader_core import LeaderError
from leader_core.cohort import PatientQuery, PatientRow
from leader_core.cohort.worklist import Split

MOST_RECENT: Final = 5
_MANY: Final = 999
_PROMPTS: Final = 40
"""How many prompts are written at most to show one that is read whole."""
_LONGEST: Final = 60  # characters of a diagnosis
_EXAMPLES: Final = "_start_examples"
_FEW: Final = 5
_SPLITS: Final[tuple[tuple[Split, ...], ...]] = (("test",), ())
_SEVERE_ALERTS: Final = (3, 12)
"""Enough severe alerts to show, not so many that they hide the case."""


class RecentCases:
    """Patient and visit of the cases opened last, by account, in this server's memory alone; nobody sees another's."""

    def __init__(self) -> None:
        self._cases: dict[str, list[tuple[int, int]]] = {}
        self._lock = threading.Lock()

    def add(self, account: str, patient_id: int, visit_no: int) -> None:
        """Put a case first."""
        with self._lock:
            others = [each for each in self._cases.get(account, []) if each[0] != patient_id]
            self._cases[account] = [(patient_id, visit_no), *others][: MOST_RECENT + 1]

    def of(self, account: str) -> list[tuple[int, int]]:
        """The cases of an account, the last first."""
        return self._cases.get(account, [])[:MOST_RECENT]


@st.cache_resource(show_spinner=False)
def _recent() -> RecentCases:
    return RecentCases()


def remember(query: Mapping[str, str]) -> None:
    """A case of the cohort was opened; `query` are its URL parameters."""
    patient, visit = query.get(session.PATIENT, ""), query.get(session.VISIT, "")
    if patient.isdecimal() and visit.isdecimal():
        _recent().add(account_name(), int(patient), int(visit))


def show(service: Service) -> None:
    """Cases to start with, as buttons that open one on this page: those opened recently, and a few of the cohort as examples."""
    recent = list(_recent_cases(service))
    if recent:
        st.html(markup.panel_title("Opened recently"))
        with st.container(gap=None):
            for patient_id, visit_no, label in recent:
                _button(patient_id, visit_no, label, "recent")
    examples = _examples(service)
    if examples:
        st.html(markup.panel_title("Examples"))
        with st.container(gap=None):
            for about, row in examples.items():
                _button(row.patient_id, row.visits, f"{about}: {_person(row)}", "example")


def _button(patient_id: int, visit_no: int, label: str, kind: str) -> None:
    """A button, not a link: Streamlit forgets the parameters of a link to the page that is open."""
    st.button(
        plain(label),
        type="tertiary",
        icon=":material/history:" if kind == "recent" else ":material/clinical_notes:",
        key=f"{kind}-{patient_id}-{visit_no}",
        on_click=session.open_case,
        args=(patient_id, visit_no),
    )


def _recent_cases(service: Service) -> Iterator[tuple[int, int, str]]:
    """Those that this cohort has; one that was built again may lack some."""
    for patient_id, visit_no in _recent().of(account_name()):
        try:
            case = service.engine.cohort.case(patient_id, visit_no)
        except LeaderError:
            continue
        total = len(case.history) + 1
        gender = wording.GENDER_LABELS.get(str(case.profile.get("gender", "")), "")
        about = ", ".join(filter(None, (gender.lower(), f"visit {visit_no}" if total > 1 else "first visit")))
        yield patient_id, visit_no, f"Patient {patient_id}, {about}"


def _examples(service: Service) -> dict[str, PatientRow]:
    """A case for each thing that is worth seeing; looked up once in a session, those of the teacher when it is there."""
    ready = service.engine.cohort.scores is not None or service.status("teacher").readiness == "ready"
    key = (service.engine.cohort.fingerprint.digest, ready)
    if st.session_state.get(_EXAMPLES, (None,))[0] != key:
        st.session_state[_EXAMPLES] = (key, _look_up(service))
    examples: dict[str, PatientRow] = st.session_state[_EXAMPLES][1]
    return examples


def _look_up(service: Service) -> dict[str, PatientRow]:
    """For each thing worth seeing the first patient of the test split, else of any."""
    cohort = service.engine.cohort
    wanted = {
        "A first visit": PatientQuery(visits=(1, 1), page_size=_FEW),
        "An earlier history": PatientQuery(visits=(3, _MANY), page_size=_FEW),
        "Several severe alerts": PatientQuery(prescribed_severe=_SEVERE_ALERTS, page_size=_FEW),
    }
    rows: dict[str, Iterable[PatientRow]] = {
        about: [row for splits in _SPLITS for row in cohort.patients(replace(query, splits=splits)).rows]
        for about, query in wanted.items()
    }
    whole = PatientQuery(splits=("test",), visits=(2, 6), page_size=_PROMPTS)
    rows["Read whole by both models"] = read_whole(service, whole)
    examples: dict[str, PatientRow] = {}
    for about, candidates in rows.items():
        seen = {row.patient_id for row in examples.values()}
        if (row := next((each for each in candidates if each.patient_id not in seen), None)) is not None:
            examples[about] = row
    return examples


def read_whole(service: Service, query: PatientQuery) -> Iterator[PatientRow]:
    """The rows whose case fits into the teacher's prompt: by stored scores, else by writing each prompt; none without."""
    cohort = service.engine.cohort
    if cohort.scores is not None:
        yield from cohort.patients(replace(query, truncated=False)).rows
        return
    if service.status("teacher").readiness != "ready":
        return
    for row in cohort.patients(query).rows:
        if not service.engine.prompt(cohort.case(row.patient_id)).dropped:
            yield row


def _person(row: PatientRow) -> str:
    gender = case_text.profile_value("gender", row.gender).lower()
    years = [] if row.age is None else [f"{row.age} years"]
    visits = [count(row.visits, "visit")] if row.visits > 1 else []
    main = textwrap.shorten(case_text.short_title(row.main_diagnosis), _LONGEST, placeholder="…")
    return f"{', '.join([gender, *years, *visits, main])} (patient {row.patient_id})"
