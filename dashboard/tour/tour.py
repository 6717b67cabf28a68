"""The guided tour: its five steps, the rule that picks its case from the cohort being served, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

import streamlit as st

from dashboard.server.answers import Scores
from dashboard.server.service import Service
from dashboard.shared import navigation, view_switch, wording
from dashboard.shared.start_cases import read_whole
from dashboard.shared.templates import component, nothing
from leader_core import Case
from leader_core.cohort import PatientQuery, PatientRow
from leader_core.domain import MODEL_NAMES, ModelName

TOUR: Final = "tour"
_RUN: Final = "_tour_run"
_TRIED: Final = 6
"""How many patients are scored at most in search of one that shows everything."""
_PROMPTS: Final = 60
"""How many patients' prompts are written at most in search of those that the teacher reads whole."""
_EVERYTHING: Final = 5
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
        "banner",
        "A patient at the moment of ordering",
        "Who the patient is, the main problems and the drugs ordered. This line stays in sight while you read on. "
        "The two models never see the orders of this visit: you compare their suggestions with them.",
    ),
    Stop(
        "person",
        "What led here",
        "The problems and the visits, the newest first. Both models read the earlier visits, with what was ordered then, "
        "and this visit's diagnoses and procedures. This case is short enough for both to read all of it.",
    ),
    Stop(
        "cards_alerts",
        "Stop and think",
        "Alerts about the drugs ordered, most severe first, with what to do and the source. What is not listed is "
        "unlisted, not safe.",
    ),
    Stop(
        "cards_classes",
        "Where the models and the orders differ",
        "First what both models suggest and nobody ordered, then what was ordered and neither suggests. Each line says "
        "why, and how often such a suggestion was right for other patients. The whole list follows by therapeutic area.",
    ),
    Stop(
        "view_choice",
        "Your turn: decide first",
        "Choose Decide first to hide all of this, pick your own drugs by name, and then see what the models and the "
        "record say. The research view, at the top, shows every score. Press ? for help at any time.",
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

    The first patient of the test split with two visits or more, whom both models read whole, whose orders carry an
    alert, and for whom there is something in every card; where a model is missing or none of the first few shows all of
    it, the one that shows most; at last anybody.
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
    answers = {name: ask(case, name).recommendation for name in MODEL_NAMES}
    ready = {name: r for name, r in answers.items() if r is not None}
    chosen = {name: {m.code for m in r.selected} for name, r in ready.items()}
    shows = [
        bool(listed),
        not case.is_first_visit,
        len(ready) == len(MODEL_NAMES) and not any(r.truncated for r in ready.values()),
        len(ready) == len(MODEL_NAMES) and bool(set.intersection(*chosen.values()) - {*case.prescribed}),
        bool(ready) and bool({*case.prescribed} - set().union(*chosen.values())),
    ]
    return sum(shows)


def _candidates(service: Service) -> Iterator[PatientRow]:
    """Patients in the order of preference: unseen in training with a history, read whole, then others."""
    seen: set[int] = set()
    for rows in (
        read_whole(service, PatientQuery(splits=("test",), visits=(2, 6), page_size=_PROMPTS)),
        *(
            service.engine.cohort.patients(query).rows
            for query in (
                PatientQuery(splits=("test",), visits=(2, 6), page_size=_TRIED),
                PatientQuery(visits=(2, 6), page_size=1),
                PatientQuery(page_size=1),
            )
        ),
    ):
        for row in rows:
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
    """A new run of the tour, in the clinician's view: the browser forgets that an earlier one was left."""
    view_switch.choose(view_switch.CLINICIAN)
    st.session_state[_RUN] = st.session_state.get(_RUN, 0) + 1


def show() -> None:
    """The card, at the step that the link names; going from step to step needs no round trip."""
    with st.container(key="tour_card"):
        component("tour/tour")(
            key="tour", data={"run": st.session_state.get(_RUN, 0), "stops": [asdict(stop) for stop in STOPS]}
        )
