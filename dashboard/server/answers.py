"""What the models say of a case: drawn at once as far as it is there, the rest computed at the end of the same run.

What takes longer is registered (`later`) and done when the page stands (`finish`), under a message; then the page is drawn
again with it, and a click interrupts it. A widget can be drawn only once in a run: that is why the page is drawn again,
and not a placeholder, where an answer belongs among sliders and tabs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.server.service import LOADING_ORDER, MODELS, ModelName, Service, failure
from leader_core import Case, LeaderError, Recommendation
from leader_core.evaluation.served_model import STORED
from leader_core.scores import ScoredModel

log = logging.getLogger("leader.dashboard")

_LATER: Final = "_later"
_FAILED: Final = "_failed"


@dataclass(slots=True)
class Deferred:
    """Something that takes longer than a page may; `work` says whether the page must be drawn again."""

    work: Callable[[], bool]
    notices: list[DeltaGenerator] = field(default_factory=list)  # cleared where it need not be drawn again


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model says of one case, or why it does not say it (yet)."""

    model: ModelName
    status: Literal["ready", "running", "loading", "absent", "failed"]
    recommendation: Recommendation | None = None
    reason: str = ""
    stored_at: datetime | None = None  # UTC, where these are stored scores and not an answer of now
    deferred: Deferred | None = None  # where the model is asked at the end of this run


def begin() -> None:
    """Call before a page is drawn."""
    st.session_state[_LATER] = {}


def later(key: Hashable, work: Callable[[], bool]) -> Deferred:
    """Do something at the end of this run, once for all that ask for the same; it says whether to draw the page again."""
    deferred: Deferred = st.session_state.setdefault(_LATER, {}).setdefault(key, Deferred(work))
    return deferred


def finish(place: DeltaGenerator) -> None:
    """Do what the page left for later, with messages in `place`; after each part that shows, the page is drawn again."""
    for deferred in list(st.session_state.get(_LATER, {}).values()):
        with place.container():
            again = deferred.work()
        if again:
            st.rerun()
        for notice in deferred.notices:
            notice.empty()
    place.empty()


def scores(service: Service, case: Case, model: ModelName) -> Scores:
    """What `model` says of `case`, as far as it is there at once; the student answers at once, the teacher later.

    Until there is an answer, what was stored of this case stands in for it, where the same weights made it.
    """
    status = service.status(model)
    failed = st.session_state.get(_FAILED, {}).get(service.key(case, model), "")
    if status.readiness in ("absent", "failed") or failed:
        unready: Literal["absent", "failed"] = "absent" if status.readiness == "absent" else "failed"
        return _stored(service, case, Scores(model, unready, reason=status.reason or failed))
    if (answer := service.cached_answer(case, model)) is not None:
        return Scores(model, "ready", answer)
    if model == "student" and status.readiness == "ready":
        return _scored(service, case, model, service.recommend_at_once)
    waiting = _stored(service, case, Scores(model, "loading" if status.readiness == "loading" else "running"))
    deferred = later(service.key(case, model), lambda: _differs(waiting, score_now(service, case, model)))
    return replace(waiting, deferred=deferred)


def all_scores(service: Service, case: Case) -> dict[ModelName, Scores]:
    """What every model says of `case`, as far as it is there at once."""
    answers = {name: scores(service, case, name) for name in LOADING_ORDER}
    return {name: answers[name] for name in MODELS}


def score_now(service: Service, case: Case, model: ModelName) -> Scores:
    """The model's own answer, waited for under a message."""
    if (answer := service.cached_answer(case, model)) is not None:
        return Scores(model, "ready", answer)
    return _scored(service, case, model, service.recommend)


def try_again() -> None:
    """Ask anew what failed in this session. Call from a widget's callback."""
    st.session_state.pop(_FAILED, None)


def _scored(
    service: Service, case: Case, model: ModelName, ask: Callable[[Case, ModelName], Recommendation]
) -> Scores:
    """The answer, or a sentence; what failed is not tried again in this session unless somebody asks for it."""
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


def _stored_model(service: Service, model: ModelName) -> ScoredModel | None:
    store, card = service.engine.cohort.scores, service.engine.models.get(model)
    source = store.models.get(model) if store is not None else None
    manifest = card.manifest if card is not None else None
    return source if source is not None and (manifest is None or manifest.digest == source.digest) else None


def _differs(shown: Scores, answer: Scores) -> bool:
    """Whether a page drawn with `shown` says anything else than the model's answer of now."""
    old, new = shown.recommendation, answer.recommendation
    if old is None or new is None or new.unseen or old.truncated != new.truncated:
        return True
    before = {m.code: m for m in old.medications}
    return len(before) != len(new.medications) or any(
        m.code not in before
        or m.selected != before[m.code].selected
        or abs(m.probability - before[m.code].probability) > STORED
        for m in new.medications
    )
