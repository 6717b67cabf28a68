"""The models' scores of a case: drawn at once where they are available, the rest computed at the end of the same run.

What takes longer is registered (`defer`) and done when the page stands (`finish`), under a message; then the page is drawn
again with it, and a click interrupts it. A widget can be drawn only once in a run: that is why the page is drawn again,
and not a placeholder, where an answer belongs among sliders and tabs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from math import isclose
from typing import Final, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.server.service import LOADING_ORDER, Service, failure
from leader_core import Case, LeaderError, Recommendation
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.stored_scores import ScoredModel

log = logging.getLogger("leader.dashboard")

_LATER: Final = "_later"
_FAILED: Final = "_failed"
_NOW: Final = "_ask_now"


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model says of one case, or why it does not say it (yet)."""

    model: ModelName
    status: Literal["ready", "running", "loading", "absent", "failed"]
    recommendation: Recommendation | None = None
    reason: str = ""
    stored_at: datetime | None = None  # UTC, where these are stored scores and not an answer of now


def begin() -> None:
    """Call before a page is drawn."""
    st.session_state[_LATER] = {}


def defer(key: Hashable, work: Callable[[], bool]) -> None:
    """Run `work` once at the end of this run of the page; it returns whether to draw the page again."""
    st.session_state.setdefault(_LATER, {}).setdefault(key, work)


def finish(placeholder: DeltaGenerator) -> None:
    """Do what the page left for later, with messages in `placeholder`; after each part that shows, the page is drawn again."""
    for work in list(st.session_state.get(_LATER, {}).values()):
        with placeholder.container():
            again = work()
        if again:
            st.rerun()
    placeholder.empty()


def scores(service: Service, case: Case, model: ModelName) -> Scores:
    """What `model` says of `case`, as far as it is there at once; the student answers at once, the teacher later.

    Stored scores of the same weights are an answer of the teacher: it scores again only on request (`ask_now`). For
    the student, which takes milliseconds, they stand in until it is loaded.
    """
    status, key = service.status(model), service.key(case, model)
    failed = st.session_state.get(_FAILED, {}).get(key, "")
    if status.readiness in ("absent", "failed") or failed:
        unready: Literal["absent", "failed"] = "absent" if status.readiness == "absent" else "failed"
        return _stored(service, case, Scores(model, unready, reason=status.reason or failed))
    if (answer := service.cached_answer(case, model)) is not None:
        return Scores(model, "ready", answer)
    loading = status.readiness == "loading"
    if model == "student" and not loading:
        return _scored(service, case, model, service.recommend_at_once)
    stored = _stored(service, case, Scores(model, "loading" if loading else "ready"))
    if stored.recommendation is not None and model == "teacher" and st.session_state.get(_NOW) != key:
        return stored

    def answer_later() -> bool:
        score_now(service, case, model)
        return True

    defer(key, answer_later)
    return stored if loading else replace(stored, status="running")


def all_scores(service: Service, case: Case) -> dict[ModelName, Scores]:
    """What every model says of `case`, as far as it is there at once."""
    answers = {name: scores(service, case, name) for name in LOADING_ORDER}
    return {name: answers[name] for name in MODEL_NAMES}


def score_now(service: Service, case: Case, model: ModelName) -> Scores:
    """The model's own answer, waited for under a message."""
    if (answer := service.cached_answer(case, model)) is not None:
        return Scores(model, "ready", answer)
    return _scored(service, case, model, service.recommend)


def ask_now(service: Service, case: Case, model: ModelName) -> None:
    """Ask the model about this case though its scores are stored, or though it failed. Call from a widget's callback."""
    key = service.key(case, model)
    st.session_state[_NOW] = key
    service.load_again(model)
    st.session_state.get(_FAILED, {}).pop(key, None)


def _scored(
    service: Service, case: Case, model: ModelName, ask: Callable[[Case, ModelName], Recommendation]
) -> Scores:
    """The answer, or a sentence; what failed is not tried again in this session unless on request."""
    try:
        return Scores(model, "ready", ask(case, model))
    except LeaderError as error:
        reason = str(error)
    except Exception as error:
        log.exception("the %s failed on a case", model)
        reason = failure(model, error)
    st.session_state.setdefault(_FAILED, {})[service.key(case, model)] = reason
    return Scores(model, "failed", reason=reason)


def _stored(service: Service, case: Case, scores: Scores) -> Scores:
    """The same with the stored scores of the case, where there are any of the same weights."""
    source = _stored_model(service, scores.model)
    stored = service.engine.stored(case, scores.model) if source is not None else None
    if source is None or stored is None:
        return scores
    return replace(scores, recommendation=stored, stored_at=source.scored_at)


def without_stored_scores(service: Service) -> list[ModelName]:
    """The models served whose own scores are not stored: none are, or those of other weights or another cut-off."""
    own = [name for name in MODEL_NAMES if name != "student" or not service.student_name]
    cards = {name: service.engine.models.get(name) for name in own}
    served = [name for name, card in cards.items() if card is not None and card.manifest is not None]
    return [name for name in served if _stored_model(service, name) is None]


def _stored_model(service: Service, model: ModelName) -> ScoredModel | None:
    """The stored scores' model, where it is the one served: the same weights under the same cut-off.

    Calibration leaves the weights and chooses the cut-off anew.
    """
    store, card = service.engine.cohort.scores, service.engine.models.get(model)
    source = store.models.get(model) if store is not None else None
    manifest = card.manifest if card is not None else None
    if source is None or manifest is None:
        return source
    same = manifest.digest == source.digest and isclose(manifest.threshold, source.threshold, abs_tol=1e-6)
    return source if same else None
