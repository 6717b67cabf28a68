"""Explanations asked for by a session: run beside the model's scoring, watched, stopped, and kept for a while.

What is asked is a session's own, and what was answered is everybody's: a link opened anew need not be worked out again.

Refuses to know how they are drawn.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

import streamlit as st

from dashboard.server.service import ModelName, Service, case_key, told
from leader_core import Case, LeaderError
from leader_core.explain import Attribution, Flip, Outcomes, Progress, attribute, leave_one_out, smallest_flip

log = logging.getLogger("leader.dashboard")

T = TypeVar("T")
_KEY: Final = "_explanations"
_KEPT: Final = 24
_SHARED: Final = 64  # answers kept for all sessions
_PATIENCE: Final = 0.25  # seconds that a page waits for an answer before it says what is running


_lock: Final = threading.Lock()
_answers: Final[OrderedDict[tuple[object, ...], tuple[Service, Any]]] = OrderedDict()


class Stopped(Exception):
    """The work was no longer wanted."""


@dataclass(slots=True)
class Job:
    """One explanation on its way: how far it is, and a way to stop it."""

    future: Future[Any] | None = None
    done: int = 0
    whole: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def told(self, done: int, whole: int) -> None:
        """Called by the work between its passes."""
        if self._stop.is_set():
            raise Stopped
        self.done, self.whole = done, whole

    def stop(self) -> None:
        self._stop.set()
        if self.future is not None:
            self.future.cancel()


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An explanation, or why there is none (yet)."""

    status: Literal["ready", "running", "stopped", "loading", "absent", "failed"]
    value: T | None = None
    reason: str = ""
    progress: str = ""
    share: float = 0.0  # of this round that is done

    @property
    def pending(self) -> bool:
        return self.status == "running"


def gradients(service: Service, case: Case, model: ModelName, code: str) -> Answer[Attribution]:
    """Integrated gradients of a class; what was asked of the same model before and is not done yet is stopped."""
    return _ask(
        service,
        case,
        model,
        ("gradients", code),
        lambda each: attribute(service.engine, case, model, code, each=each),
    )


def removals(service: Service, case: Case, model: ModelName) -> Answer[Outcomes]:
    """Everything left out in turn, for all classes at once."""
    return _ask(
        service,
        case,
        model,
        ("removals",),
        lambda each: leave_one_out(service.engine, case, model, each=each),
    )


def flip(
    service: Service, case: Case, model: ModelName, code: str, threshold: float, outcomes: Outcomes
) -> Answer[Flip]:
    """The smallest set of removals that takes a class over a cut-off."""
    return _ask(
        service,
        case,
        model,
        ("flip", code, round(threshold, 4)),
        lambda each: smallest_flip(
            service.engine, case, model, code, outcomes=outcomes, threshold=threshold, each=each
        ),
    )


def stop(model: ModelName) -> None:
    """Stop whatever this session still waits for from a model."""
    for key, job in _jobs().items():
        if key[0] == model and job.future is not None and not job.future.done():
            job.stop()


def again(model: ModelName) -> None:
    """Forget what was stopped or failed, so that it is asked anew."""
    jobs = _jobs()
    for key in [k for k, job in jobs.items() if k[0] == model and not _good(job)]:
        del jobs[key]


def _good(job: Job) -> bool:
    return (
        job.future is None
        or not job.future.done()
        or (not job.future.cancelled() and not job.future.exception())
    )


def _jobs() -> dict[tuple[object, ...], Job]:
    found: dict[tuple[object, ...], Job] = st.session_state.setdefault(_KEY, {})
    return found


def _ask(
    service: Service, case: Case, model: ModelName, what: tuple[object, ...], work: Callable[[Progress], T]
) -> Answer[T]:
    status = service.status(model)
    if status.readiness != "ready":
        return Answer(status.readiness, reason=status.reason)
    jobs = _jobs()
    key = (model, *what, id(service), case_key(case))
    job = jobs.get(key)
    if job is None:
        with _lock:
            known = _answers.get(key)
        if known is not None and known[0] is service:
            return Answer("ready", known[1])
        stop(model)
        job = jobs[key] = Job()
        job.future = service.run(model, work, job.told)
        for old in list(jobs)[:-_KEPT]:
            jobs.pop(old).stop()
    answer: Answer[T] = _answer(job, model)
    if answer.value is not None:
        with _lock:
            _answers[key] = (service, answer.value)
            while len(_answers) > _SHARED:
                _answers.popitem(last=False)
    return answer


def _answer(job: Job, model: ModelName) -> Answer[T]:  # type: ignore[type-var]
    try:
        assert job.future is not None  # noqa: S101
        return Answer("ready", job.future.result(timeout=_PATIENCE))
    except TimeoutError:
        return Answer(
            "running",
            progress=f"{job.done} of {job.whole}" if job.whole else "waiting for its turn",
            share=job.done / job.whole if job.whole else 0.0,
        )
    except (Stopped, CancelledError):
        return Answer("stopped", reason=f"The {model}'s explanation was stopped.")
    except LeaderError as error:
        return Answer("failed", reason=str(error))
    except Exception as error:
        log.exception("explaining the %s failed", model)
        return Answer("failed", reason=told(model, error, "while explaining this score"))
