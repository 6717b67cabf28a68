"""Explanations of a score: computed at the end of the run that asks for them, with a progress bar that a click interrupts.

Results are shared by all sessions: a link opened again need not be computed again. What was stopped or failed is noted in
the session, and is not begun again unless somebody asks for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.server.answers import defer
from dashboard.server.service import Service, failure
from leader_core import Case, LeaderError
from leader_core.domain import ModelName
from leader_core.explain import Attribution, Flip, Outcomes, Progress, attribute, leave_one_out, smallest_flip

log = logging.getLogger("leader.dashboard")

T = TypeVar("T")
Key = tuple[object, ...]
_ENDED: Final = "_explanations_ended"
_ASKED: Final = "_explanations_asked"


@dataclass(frozen=True, slots=True)
class Explained(Generic[T]):
    """An explanation, or why there is none (yet)."""

    model: ModelName
    status: Literal["ready", "running", "waiting", "stopped", "absent", "failed"]  # waiting: for a request
    value: T | None = None
    reason: str = ""
    key: Key = ()


def gradients(
    service: Service, case: Case, model: ModelName, code: str, *, on_request: bool = False
) -> Explained[Attribution]:
    """Integrated gradients of a class; where they are not there yet, their progress is drawn here.

    With `on_request`, they are computed only once somebody has pressed the button of `button`.
    """
    return explain(
        service,
        model,
        (*service.key(case, model), "gradients", code),
        lambda on_progress: attribute(service.engine, case, model, code, on_progress=on_progress),
        on_request,
    )


def removals(
    service: Service, case: Case, model: ModelName, *, on_request: bool = False
) -> Explained[Outcomes]:
    """Everything left out in turn, for all classes at once; `on_request` as in `gradients`."""
    return explain(
        service,
        model,
        (*service.key(case, model), "removals"),
        lambda on_progress: leave_one_out(service.engine, case, model, on_progress=on_progress),
        on_request,
    )


def known_removals(service: Service, case: Case, model: ModelName) -> Explained[Outcomes]:
    """The same where it is there already, or why it is not; nothing is begun or drawn."""
    key = (*service.key(case, model), "removals")
    status = service.status(model)
    if status.readiness in ("absent", "failed"):
        return Explained(model, "absent", reason=status.reason)
    if (result := service.explanations.get(key)) is not None:
        return Explained(model, "ready", result, key=key)
    status_and_reason = st.session_state.get(_ENDED, {}).get(key, ("running", ""))
    return Explained(model, status_and_reason[0], reason=status_and_reason[1], key=key)


def remove_later(service: Service, case: Case, model: ModelName, then: Callable[[], None]) -> None:
    """Leave everything out in turn when the page stands, then call `then`, which redraws what waited for it."""
    known = known_removals(service, case, model)
    if known.status != "running":
        return

    def work() -> bool:
        place = st.empty()
        _compute(
            service,
            model,
            known.key,
            lambda report: leave_one_out(service.engine, case, model, on_progress=report),
            place,
        )
        place.empty()
        then()
        return False

    defer(known.key, work)


def flip(
    service: Service, case: Case, model: ModelName, code: str, threshold: float, outcomes: Outcomes
) -> Explained[Flip]:
    """The smallest set of removals that takes a class over a cut-off, once somebody asks for it."""
    return explain(
        service,
        model,
        (*service.key(case, model), "flip", code, round(threshold, 4)),
        lambda on_progress: smallest_flip(
            service.engine, case, model, code, outcomes=outcomes, threshold=threshold, on_progress=on_progress
        ),
        on_request=True,
    )


def button(explained: Explained[Any], begin: str = "") -> None:
    """A way to stop what is being computed, to begin it (under this label), or to begin again what was stopped."""
    model = explained.model
    if explained.status == "waiting":
        st.button(
            begin or f"Explain the {model}'s score",
            key=f"ask-{explained.key[3]}-{model}",
            on_click=ask,
            args=(explained.key,),
            icon=":material/play_arrow:",
        )
    elif explained.status == "running":
        st.button(
            "Stop",
            key=f"stop-{explained.key[3]}-{model}",
            on_click=_end,
            args=(explained.key, "stopped", f"The {model}'s explanation was stopped."),
            type="tertiary",
            icon=":material/stop_circle:",
        )
    elif explained.status in ("stopped", "failed") and explained.key:
        st.button(
            "Explain again",
            key=f"again-{explained.key[3]}-{model}",
            on_click=_again,
            args=(explained.key,),
            type="tertiary",
        )


def _end(key: Key, status: Literal["stopped", "failed"], reason: str) -> None:
    st.session_state.setdefault(_ENDED, {})[key] = (status, reason)


def ask(*keys: Key) -> None:
    """Compute what waits for a request, from the next run on; a button's callback."""
    st.session_state[_ASKED] = {*st.session_state.get(_ASKED, ()), *keys}


def _again(key: Key) -> None:
    st.session_state.get(_ENDED, {}).pop(key, None)


def explain(
    service: Service, model: ModelName, key: Key, work: Callable[[Progress], T], on_request: bool = False
) -> Explained[T]:
    """A result that was computed before, or its progress, drawn here, at the end of this run; `key[3]` says what it is."""
    status = service.status(model)
    if status.readiness == "absent" or status.readiness == "failed":
        return Explained(model, status.readiness, reason=status.reason)
    if (result := service.explanations.get(key)) is not None:
        return Explained(model, "ready", result, key=key)
    if ended := st.session_state.get(_ENDED, {}).get(key):
        return Explained(model, ended[0], reason=ended[1], key=key)
    if on_request and key not in st.session_state.get(_ASKED, ()):
        return Explained(model, "waiting", key=key)
    placeholder = st.empty()
    placeholder.progress(0.0, text=f"The {model} begins.")
    defer(key, lambda: _compute(service, model, key, work, placeholder))
    return Explained(model, "running", key=key)


def _compute(
    service: Service, model: ModelName, key: Key, work: Callable[[Progress], T], placeholder: DeltaGenerator
) -> bool:
    """Compute it in the model's turn, showing how far it is; the page is drawn again with what came of it."""

    def report(done: int, whole: int) -> None:
        share = min(1.0, done / whole) if whole else 0.0
        placeholder.progress(share, text=f"The {model} is at work: {done} of {whole}.")

    try:
        with service.exclusive_access(model, "explain"):
            if service.explanations.get(key) is None:
                service.explanations.put(key, work(report))
    except LeaderError as error:
        _end(key, "failed", str(error))
    except Exception as error:
        log.exception("explaining the %s failed", model)
        _end(key, "failed", failure(model, error, "while explaining this score"))
    return True
