"""On this machine: the models' self-check, and their size, speed and memory use; both only on request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Literal

import streamlit as st
from markupsafe import Markup

from dashboard.server.answers import defer
from dashboard.server.service import Service
from dashboard.shared import markup, wording
from dashboard.shared.formatting import MISSING, count, size
from dashboard.shared.templates import macro
from leader_core import Case, LeaderError
from leader_core.cohort import PatientQuery
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.evaluation.self_check import (
    Check,
    Measured,
    Size,
    base_parameters,
    folder_size,
    measure,
    self_check,
)

log = logging.getLogger("leader.dashboard")

Report = Callable[[int, int, str], None]
"""Called by the work between its steps: what is done, of how much, and what comes next."""

_CASES: Final = 20
"""Cases that are timed."""


@dataclass(frozen=True, slots=True)
class WorkOutcome:
    """What came of a piece of work of this session."""

    status: Literal["done", "failed", "stopped"]
    result: Any = None
    reason: str = ""


def show(service: Service) -> None:
    """Both panels; each works at the end of the run that asks for it, until it is done or somebody clicks."""
    left, right = st.columns(2, gap="large")
    with left:
        _check(service)
    with right:
        _measure(service)


def ready(service: Service) -> tuple[ModelName, ...]:
    """The models that can answer now."""
    return tuple(name for name in MODEL_NAMES if service.status(name).readiness == "ready")


def _begin(
    service: Service, name: str, models: Sequence[ModelName], work: Callable[[Report], object]
) -> None:
    """Draw how far the work is, and let it begin at the end of this run; a click anywhere stops it."""
    placeholder = st.empty()
    placeholder.progress(0.0, "Beginning")
    st.button("Stop", key=f"{name}_stop")
    st.session_state[_key(service, name)] = WorkOutcome("stopped")

    def report(done: int, of: int, doing: str) -> None:
        placeholder.progress(min(1.0, done / of) if of else 0.0, doing.capitalize())

    def run() -> bool:
        try:
            with ExitStack() as turns:
                for model in models:
                    turns.enter_context(service.exclusive_access(model, "explain"))
                outcome = WorkOutcome("done", work(report))
        except LeaderError as error:
            outcome = WorkOutcome("failed", reason=str(error))
        except Exception:
            log.exception("%s failed", name)
            outcome = WorkOutcome("failed", reason="This failed. The server's log says why.")
        st.session_state[_key(service, name)] = outcome
        return True

    defer(name, run)


def _key(service: Service, name: str) -> str:
    """What the session keeps an outcome under: with another student it is another one."""
    return f"_{name}-{service.serial}"


def _check(service: Service) -> None:
    st.html(markup.panel_title("Self-check", "files, fit to the cohort, answers that hold still"))
    if st.button("Check now", key="check_start"):
        models = [name for name in MODEL_NAMES if service.status(name).readiness != "loading"]
        _begin(service, "check", ready(service), lambda report: self_check(service.engine, models, report))
        return
    outcome = st.session_state.get(_key(service, "check"))
    if outcome is None:
        st.html(markup.note(wording.SELF_CHECK))
    elif outcome.status == "failed":
        st.html(markup.callout(outcome.reason, "warn"))
    elif outcome.status == "stopped":
        st.html(markup.note("Stopped before it was done."))
    else:
        st.html(_verdict(outcome.result) + checks(outcome.result))


def _verdict(results: Sequence[Check]) -> str:
    failed = sum(not check.passed for check in results)
    text = (
        f"All {len(results)} checks passed."
        if not failed
        else f"{failed} of {count(len(results), 'check')} failed."
    )
    return markup.callout(text, "" if not failed else "warn")


def checks(results: Sequence[Check]) -> Markup:
    """One line each, with a sign and a word next to the colour."""
    return macro("checks", "models/models.html")(results)


def _measure(service: Service) -> None:
    st.html(markup.panel_title("Size, speed and memory", "measured on this machine, on request"))
    models = ready(service)
    if st.button(f"Measure on {_CASES} cases", key="measure_start", disabled=not models):
        _begin(
            service,
            "measure",
            models,
            lambda report: measure(service.engine, models, _cases(service), report),
        )
        return
    outcome = st.session_state.get(_key(service, "measure"))
    result = outcome.result if outcome is not None else None
    st.html(markup.table(*_table(service, result), numeric=frozenset(range(1, 6))))
    if result is not None:
        st.html(markup.note(machine(result)))
    elif outcome is not None and outcome.reason:
        st.html(markup.callout(outcome.reason, "warn"))
    elif not models:
        st.html(markup.note("No model is loaded yet: nothing can be timed."))
    else:
        st.html(markup.note("Times appear when measured: one case at a time, never from stored scores."))


def _cases(service: Service) -> list[Case]:
    """Cases of the test split, else of any."""
    cohort = service.engine.cohort
    rows = (
        cohort.patients(PatientQuery(splits=("test",), page_size=_CASES)).rows
        or cohort.patients(PatientQuery(page_size=_CASES)).rows
    )
    return [cohort.case(row.patient_id) for row in rows]


def _table(service: Service, measured: Measured | None) -> tuple[list[str], list[list[str]]]:
    """Sizes are read at once, times only when measured."""
    headings = ["Model", "Parameters", "On disk", "p50", "p95", "Slowest"]
    times = {each.model: each for each in measured.latencies} if measured else {}
    rows = []
    for name in MODEL_NAMES:
        try:
            memory = folder_size(service.engine.models[name].folder)
            sizes = [parameters_text(service, name, memory), size(memory.bytes_on_disk)]
        except LeaderError:
            sizes = [MISSING, MISSING]
        spent = times.get(name)
        row = (
            [
                f"{v:,.0f} ms" if v >= 10 else f"{v:.1f} ms"
                for v in (spent.p50_ms, spent.p95_ms, spent.slowest_ms)
            ]
            if spent
            else [MISSING] * 3
        )
        rows.append([wording.MODEL_LABELS[name], *sizes, *row])
    return headings, rows


def parameters_text(service: Service, name: ModelName, own: Size) -> str:
    """ "22.7 M base + 0.66 M adapter + 0.05 M head"; of a student its own."""
    if name == "student":
        return _millions(own.parameters)
    manifest = service.engine.models[name].manifest
    base = manifest.base_model.id if manifest is not None and manifest.base_model is not None else ""
    try:
        first = f"{_millions(base_parameters(base))} base"
    except LeaderError:
        first = "base (not on this machine)"
    return f"{first} + {_millions(own.parameters - own.head)} adapter + {_millions(own.head)} head"


def _millions(number: int) -> str:
    """
    >>> _millions(22_713_728), _millions(53_760), _millions(7_000_000_000)
    ('22.7 M', '0.05 M', '7,000 M')
    """
    value = number / 1e6
    return f"{value:,.0f} M" if value >= 100 else f"{value:.1f} M" if value >= 1 else f"{value:.2f} M"


def machine(measured: Measured) -> str:
    """Where, when and with how much memory."""
    memory = f"This server holds {size(measured.resident_bytes)} of memory. "
    cases = count(measured.latencies[0].cases, "case") if measured.latencies else "no case"
    when = measured.measured_at.astimezone()
    return f"{memory}{measured.device}, {count(measured.cores, 'core')}; {cases} one at a time, {when:%d %b %Y, %H:%M}."
