"""The guided tour: its five steps, the rule that picks its case from the cohort being served, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

import streamlit as st

from dashboard.server.answers import Scores
from dashboard.server.service import Service
from dashboard.shared import navigation, wording
from dashboard.shared.templates import component, nothing
from leader_core import Case
from leader_core.cohort import PatientQuery, PatientRow
from leader_core.domain import MODEL_NAMES, ModelName

TOUR: Final = "tour"
_RUN: Final = "_tour_run"
_TRIED: Final = 6
"""How many patients are scored at most in search of one that shows everything."""
_EVERYTHING: Final = 3
"""How much a case shows that shows all of the tour."""

Ask = Callable[[Case, ModelName], Scores]


@dataclass(frozen=True, slots=True)
class Stop:
    """One step: the panel it speaks of (a container's key) and what it says."""

    panel: str
    heading: str
    text: str


STOPS: Final[tuple[Stop, ...]] = (
    Stop(
        "person",
        "A patient at the moment of prescribing",
        "Here is who the patient is and what was diagnosed, done and prescribed, visit by visit. "
        "The models read the earlier visits and this one's diagnoses and procedures, never what it was given.",
    ),
    Stop(
        "cut_offs",
        "Two models and their cut-offs",
        "The teacher is a language model that reads the case as text. The student is a small network that learned "
        "from it. Each suggests the classes that score above its cut-off; move one and every number follows.",
    ),
    Stop(
        "classes",
        "Class by class",
        "One row per drug class: ordered or not, and both scores as bars. Rows are grouped by who suggested them, so that "
        "what one model alone suggests is easy to find. Open a row for the drugs that were ordered.",
    ),
    Stop(
        "pairs",
        "Alerts, drug by drug",
        "First what the drugs ordered carry, most severe first, with what to do; then, set apart, what would hold if a "
        "suggested class is chosen, and for which of its drugs. What is not listed is unlisted, not safe.",
    ),
    Stop(
        "view_choice",
        "Your turn: decide first",
        "Hide what was prescribed, or choose Decide first: tick your own classes, then reveal the models and the "
        "record next to them. Press ? for help at any time.",
    ),
)
STEPS: Final = len(STOPS)


def link(number: int = 1) -> dict[str, str]:
    """URL parameters that open the tour at a step, on the prepared case."""
    return {TOUR: str(number)}


def read_step(text: str) -> int | None:
    """A step's number from the URL.

    >>> read_step("3"), read_step("9"), read_step("x")
    (3, None, None)
    """
    return int(text) if text.isdecimal() and len(text) < 3 and 1 <= int(text) <= STEPS else None


def prepared(service: Service, ask: Ask) -> tuple[int, int] | None:
    """The patient and visit of the tour; None where the cohort holds nobody.

    The first patient of the test split with two visits or more whose orders carry an alert and to
    whom the teacher suggests a class that the student does not; where a model is missing or none of the first few
    shows all of it, the one that shows most; at last anybody.
    """
    best: tuple[int, PatientRow] | None = None
    for tried, row in enumerate(_candidates(service)):
        if tried >= _TRIED:
            break
        merit = _merit(service, service.engine.cohort.case(row.patient_id), ask)
        if best is None or merit > best[0]:
            best = (merit, row)
        if merit >= _EVERYTHING:
            break
    return None if best is None else (best[1].patient_id, best[1].visits)


def _merit(service: Service, case: Case, ask: Ask) -> int:
    """How much of the tour a case can show, from 0 to `_EVERYTHING`."""
    engine, visit = service.engine, case.current.visit_id
    orders = () if visit is None else engine.cohort.orders(visit)
    listed = engine.review_set(case, case.prescribed, orders).carried
    merit = int(bool(listed)) + int(not case.is_first_visit)
    answers = {name: ask(case, name).recommendation for name in MODEL_NAMES}
    chosen = {name: {m.code for m in r.selected} for name, r in answers.items() if r is not None}
    return merit + int(len(chosen) == 2 and bool(chosen["teacher"] - chosen["student"]))


def _candidates(service: Service) -> Iterator[PatientRow]:
    """Patients in the order of preference: unseen in training with a history, then with a history, then anybody."""
    seen: set[int] = set()
    for query in (
        PatientQuery(splits=("test",), visits=(2, 6), page_size=_TRIED),
        PatientQuery(visits=(2, 6), page_size=1),
        PatientQuery(page_size=1),
    ):
        for row in service.engine.cohort.patients(query).rows:
            if row.patient_id not in seen:
                seen.add(row.patient_id)
                yield row


def offer() -> None:
    """Offer the tour; the browser shows it once and remembers."""
    with st.container(key="tour_offer"):
        result = component("tour/tour_offer")(
            key="offer",
            data={
                "label": "New here?",
                "words": wording.TOUR_OFFER,
                "start": "Take the tour",
                "later": "Not now",
            },
            on_tour_change=nothing,
        )
    if result.tour:
        navigation.go("case", link())


def begin() -> None:
    """A new run of the tour: the browser forgets that an earlier one was left."""
    st.session_state[_RUN] = st.session_state.get(_RUN, 0) + 1


def show() -> None:
    """The card, at the step that the link names; going from step to step needs no round trip."""
    with st.container(key="tour_card"):
        component("tour/tour")(
            key="tour", data={"run": st.session_state.get(_RUN, 0), "stops": [asdict(stop) for stop in STOPS]}
        )
