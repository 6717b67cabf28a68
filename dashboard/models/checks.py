"""On this machine: the self-check, and how large, quick and hungry the models are; both only when asked for.

Refuses to know how anything is checked or measured (`leader_core.evaluation.served_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard.models import jobs
from dashboard.server.service import MODELS, ModelName, Service
from dashboard.shared import markup, wording
from dashboard.shared.formatting import MISSING, count, escape, size, tag
from dashboard.shared.guard import fragment
from leader_core import Case, LeaderError
from leader_core.cohort import PatientQuery
from leader_core.evaluation.served_model import Check, Measured, folder_size, measure, self_check

CASES: Final = (10, 20, 50, 100)


def show(service: Service) -> None:
    """Both panels; while one works it looks again by itself."""
    left, right = st.columns(2, gap="large")
    with left:
        running = _running(service, "check")
        fragment(_check, run_every=0.7 if running else None)(service, running)
    with right:
        running = _running(service, "measure")
        fragment(_measure, run_every=0.7 if running else None)(service, running)


def _name(service: Service, work: str) -> str:
    """A job is about the models that this session looks at: with another student it is another job."""
    return f"{work}-{id(service)}"


def _running(service: Service, work: str) -> bool:
    job = jobs.find(_name(service, work))
    return job is not None and job.running


def ready(service: Service) -> tuple[ModelName, ...]:
    """The models that can answer now."""
    return tuple(name for name in MODELS if service.status(name).readiness == "ready")


def _progress(job: jobs.Job, key: str) -> None:
    st.progress(min(1.0, job.done / job.of) if job.of else 0.0, job.doing.capitalize())
    if st.button("Stop", key=key):
        job.stop()
        st.rerun()


def _check(service: Service, was_running: bool) -> None:
    job = jobs.find(_name(service, "check"))
    if was_running and job is not None and not job.running:
        st.rerun()
    st.html(markup.panel_title("Self-check", "files, fit to the cohort, answers that hold still"))
    if job is not None and job.running:
        _progress(job, "check_stop")
        return
    if st.button("Check now", key="check_start"):
        waiting = [name for name in MODELS if service.status(name).readiness == "loading"]
        models = [name for name in MODELS if name not in waiting]
        jobs.start(_name(service, "check"), lambda tell: self_check(service.engine, models, tell))
        st.rerun()
    if job is None:
        st.html(markup.note(wording.SELF_CHECK))
    elif job.error:
        st.html(markup.callout(job.error, "warn"))
    elif job.stopped:
        st.html(markup.note("Stopped before it was done."))
    elif (found := job.result()) is not None:
        st.html(_verdict(found) + checks(found))


def _verdict(found: Sequence[Check]) -> str:
    failed = sum(not check.passed for check in found)
    text = (
        f"All {len(found)} checks passed."
        if not failed
        else f"{failed} of {count(len(found), 'check')} failed."
    )
    return markup.callout(text, "" if not failed else "warn")


def checks(found: Sequence[Check]) -> str:
    """One line each, with a sign and a word beside the colour."""

    def line(check: Check) -> str:
        sign, kind = ("✓", "good") if check.passed else ("✗", "bad")
        word = "passed" if check.passed else "failed"
        return tag(
            "tr",
            tag("td", tag("span", f"{sign} {word}", css=f"ld-tag {kind}")),
            tag("td", escape(wording.MODEL_NAMES[check.model])),
            tag("td", escape(check.name)),
            tag("td", escape(check.text)),
        )

    head = tag("tr", *(tag("th", escape(text)) for text in ("Result", "Model", "Check", "Found")))
    body = tag("tbody", *(line(check) for check in found))
    return tag("div", tag("table", tag("thead", head), body, css="ld-table"), css="ld-scroll", tabindex=0)


def _measure(service: Service, was_running: bool) -> None:
    job = jobs.find(_name(service, "measure"))
    if was_running and job is not None and not job.running:
        st.rerun()
    st.html(markup.panel_title("Size, speed and memory", "measured on this machine, on request"))
    if job is not None and job.running:
        _progress(job, "measure_stop")
        return
    models = ready(service)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        wanted = st.selectbox(
            "Cases", CASES, index=1, key="measure_cases", width=110, format_func=lambda n: count(n, "case")
        )
        pressed = st.button("Measure", key="measure_start", disabled=not models)
    if pressed:
        jobs.start(
            _name(service, "measure"),
            lambda tell: measure(service.engine, models, _cases(service, int(wanted or 20)), tell),
        )
        st.rerun()
    found = job.result() if job is not None else None
    st.html(markup.table(*_table(service, found), numeric=frozenset(range(1, 6))))
    if found is not None:
        st.html(markup.note(machine(found)))
    elif job is not None and job.error:
        st.html(markup.callout(job.error, "warn"))
    elif not models:
        st.html(markup.note("No model is loaded yet: nothing can be timed."))
    else:
        st.html(markup.note("Times appear when measured: one case at a time, never from stored scores."))


def _cases(service: Service, wanted: int) -> list[Case]:
    """Cases of the test split, else of any."""
    cohort = service.engine.cohort
    rows = (
        cohort.patients(PatientQuery(splits=("test",), page_size=wanted)).rows
        or cohort.patients(PatientQuery(page_size=wanted)).rows
    )
    return [cohort.case(row.patient_id) for row in rows]


def _table(service: Service, found: Measured | None) -> tuple[list[str], list[list[str]]]:
    """Sizes are read at once, times only when measured."""
    headings = ["Model", "Parameters", "On disk", "p50", "p95", "Slowest"]
    times = {each.model: each for each in found.latencies} if found else {}
    rows = []
    for name in MODELS:
        try:
            held = folder_size(service.engine.models[name].folder)
            sizes = [f"{held.parameters:,}", size(held.bytes_on_disk)]
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
        rows.append([wording.MODEL_NAMES[name], *sizes, *row])
    return headings, rows


def machine(found: Measured) -> str:
    """Where, when and with how much memory."""
    held = f"This server holds {size(found.resident_bytes)} of memory. " if found.resident_bytes else ""
    cases = count(found.latencies[0].cases, "case") if found.latencies else "no case"
    when = found.measured_at.astimezone()
    return (
        f"{held}{found.device}, {count(found.cores, 'core')}; {cases} one at a time, {when:%d %b %Y, %H:%M}. "
        "A teacher's parameters are its adapter and head; its base is not in the folder."
    )
