"""Training a student from the page: its settings, its progress, the students trained so far, and which one is in use."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import streamlit as st
from markupsafe import Markup
from streamlit.delta_generator import DeltaGenerator

from dashboard.models import charts, metrics
from dashboard.server.access import may_administer
from dashboard.server.answers import defer
from dashboard.server.service import STUDENT, Service, choose_student, default_service, student_query
from dashboard.server.settings import ServerSettings, read_settings
from dashboard.server.training_runs import TrainingRuns, TrainingSources, find_states, get_runs, runs_folder
from dashboard.server.training_state import (
    ADDITIONS,
    MOST_EPOCHS,
    PRESETS,
    USUAL,
    Run,
    TrainingProgress,
    TrainingRequest,
    read_progress,
)
from dashboard.shared import markup, wording
from dashboard.shared.charts import color_mode
from dashboard.shared.charts import draw as draw_chart
from dashboard.shared.error_messages import message_of_errors, show_message
from dashboard.shared.formatting import count, duration, score
from dashboard.shared.templates import macro
from dashboard.shared.widgets import switch
from leader_core import LeaderError
from leader_core.model_card import ModelCard
from leader_core.model_folder import Manifest, read_manifest
from leader_core.teacher.config import DEFAULT_BASE

_EVERY: Final = 1.0
"""Seconds between two looks at a run."""
_MESSAGE: Final = "_training_message"  # a sentence for the next drawing
QUICK: Final = 2_000
"""Training visits of a quick distillation."""
_QUICK_TIME, _WHOLE_TIME = "about 8 min on two cores", "about an hour on two cores"
_STATE: Final = {
    "done": ("✓ Finished", "good"),
    "failed": ("✗ Failed", "bad"),
    "cancelled": ("Canceled", "warn"),
    "interrupted": ("Interrupted", "warn"),
    "running": ("Training", ""),
    "cancelling": ("Being canceled", ""),
}


def show(service: Service) -> None:
    """The whole panel; while something is being trained it follows it until a click."""
    runs, settings = get_runs(), read_settings()
    left, right = st.columns(2, gap="large")
    with left:
        st.html(markup.panel_title("Train a student", "on the cohort being served, as a process of its own"))
        show_message(_MESSAGE)
        form = st.empty()  # what is followed stands below it, so that the form goes at once
        if (running := runs.busy) is not None:
            _live(runs, running)
        elif allowed(settings):
            with form.container():
                _form(service, runs, settings)
        else:
            st.html(markup.callout(wording.TRAINING_OFF))
    with right:
        st.html(
            markup.panel_title(
                "Trained here", "each in a folder of its own; the server's models are never touched"
            )
        )
        _list(service, runs)


def allowed(settings: ServerSettings) -> bool:
    """Whether this page may start processes: where the operator switched it on, and by an administrator alone."""
    return settings.training and may_administer()


def _form(service: Service, runs: TrainingRuns, settings: ServerSettings) -> None:
    teachings = _teachings(settings)
    preset = switch("Settings", PRESETS, labelled=True, default="default", key="train_preset")
    with st.container(horizontal=True, gap="medium"):
        epochs = st.number_input("Epochs at most", 1, MOST_EPOCHS, 12, key="train_epochs")
        waiting = "Epochs without a better validation PRAUC."
        patience = st.number_input("Patience", 1, MOST_EPOCHS, 12, key="train_patience", help=waiting)
        seed = st.number_input("Seed", 0, 2**31 - 1, 42, key="train_seed")
    added = st.pills(
        "Additions",
        list(ADDITIONS),
        default=USUAL[str(preset)],
        selection_mode="multi",
        key=f"train_additions-{preset}",
        format_func=lambda key: ADDITIONS[key].label,
    )
    teaching = teachings[
        st.radio("Distilled from the teacher", list(teachings), key="train_distilled", help=wording.STATES)
    ]
    if teaching.teacher is not None:
        st.html(markup.note(wording.STATES_FIRST))
    if st.button("Start training", type="primary", key="train_start"):
        cohort = service.engine.cohort
        sources = TrainingSources(
            Path(cohort.path), cohort.fingerprint.digest, teaching.states, teaching.teacher, settings.device
        )
        with message_of_errors(_MESSAGE):
            request = TrainingRequest(
                str(preset), int(epochs), int(patience), int(seed), teaching.states is not None, teaching.visits,
                tuple(added),
            )  # fmt: skip
            runs.start(request, sources)
        st.rerun()


@dataclass(frozen=True, slots=True)
class Teaching:
    """What a student may learn from the teacher: states that are stored, or are made first."""

    states: Path | None = None
    visits: int = 0  # that the teacher reads first, or has read; 0 for states of every visit
    teacher: Path | None = None  # who makes the states, where they are not there yet


def _teachings(settings: ServerSettings) -> dict[str, Teaching]:
    """What can be chosen, by its label: the best that is there already first, then what takes time."""
    served = default_service().engine
    card = served.models["teacher"]
    nothing = {"No: it learns from the orders alone": Teaching()}
    if card.manifest is None:
        return nothing
    folder = runs_folder(settings)
    digests = (card.manifest.digest, served.cohort.fingerprint.digest)
    parents = (settings.models.parent, settings.cohort.parent, folder)
    folders = [*([settings.states] if settings.states else []), *(parent / "states" for parent in parents)]
    if (states := find_states(folders, *digests)) is not None:
        return {"Yes, on every visit: the states are stored": Teaching(states)} | nothing
    quick = f"Yes, on {QUICK:,} training visits"
    sample = folder / "states-quick"
    if find_states([sample], *digests, sample=True) is not None:
        return (
            {f"{quick}: the states are stored": Teaching(sample, QUICK)} | nothing | _read_first(card, folder)
        )
    return (
        nothing
        | {_timed(quick, card, _QUICK_TIME): Teaching(sample, QUICK, card.folder)}
        | _read_first(card, folder)
    )


def _read_first(card: ModelCard, folder: Path) -> dict[str, Teaching]:
    return {_timed("Yes, on every visit", card, _WHOLE_TIME): Teaching(folder / "states", 0, card.folder)}


def _timed(label: str, card: ModelCard, time_text: str) -> str:
    """With how long it takes, where the teacher is the demo's."""
    base = card.manifest.base_model if card.manifest is not None else None
    known = base is not None and base.id == DEFAULT_BASE
    return f"{label}, which the teacher reads first{f' ({time_text})' if known else ''}"


def _live(runs: TrainingRuns, run: Run) -> None:
    st.html(_run_name(run.name) + markup.note(run.request.sentence))
    numbers, curve = st.empty(), st.empty()
    drawn = _draw_progress(run, numbers, curve, -1)
    stopping = run.state == "cancelling"
    if may_administer() and st.button(
        "Cancel",
        key="train_cancel",
        help="Stops the process; models trained before stay as they are.",
        disabled=stopping,
    ):
        runs.cancel(run.id)
        st.rerun()
    if stopping:
        st.html(markup.note("The process is stopping."))
    defer("training", lambda: _follow(runs, run.id, numbers, curve, drawn))


def _follow(
    runs: TrainingRuns, name: str, numbers: DeltaGenerator, curve: DeltaGenerator, drawn: int
) -> bool:
    """Show how far a run is until it has ended.

    It is another process, perhaps of another server, which sends no message: so its folder is read every second.
    """
    while (run := runs.get(name)) is not None and not run.over:
        time.sleep(_EVERY)
        drawn = _draw_progress(run, numbers, curve, drawn)
    return True


def _draw_progress(run: Run, numbers: DeltaGenerator, curve: DeltaGenerator, drawn: int) -> int:
    """Numbers now, and the curve where an epoch was added to the `drawn` ones; gives how many there are."""
    now = time.time()
    progress = read_progress(run.folder, now)
    with numbers.container():
        stage = "Being canceled" if run.state == "cancelling" else _stage(progress)
        st.progress(progress.fraction, stage)
        st.html(markup.metrics(_numbers(run, progress, now)))
    if len(progress.epochs) != drawn:
        with curve.container():
            _curve(progress, "train_curve")
    return len(progress.epochs)


def _stage(progress: TrainingProgress) -> str:
    if progress.reading:
        return f"The teacher reads: {progress.read:,} of {progress.to_read:,} visits"
    if not progress.of:
        return "Reading the cohort"
    if not progress.epochs and not progress.share:
        return "Preparing the cases, and the codes' titles where they are read"
    if len(progress.epochs) >= progress.of:
        return "Choosing the cut-off and writing the model"
    return f"Epoch {len(progress.epochs) + 1} of at most {progress.of}"


def _numbers(run: Run, progress: TrainingProgress, now: float) -> list[tuple[str, str, str]]:
    best = max((row["prauc"] for row in progress.epochs), default=None)
    last = progress.epochs[-1]["loss"] if progress.epochs else None
    return [
        ("PRAUC", score(best), "validation, best so far"),
        ("Loss", score(last), "last epoch"),
        ("Elapsed", duration(now - run.began), ""),
        (
            "Left",
            "–" if progress.seconds_left is None else duration(progress.seconds_left),
            "of the teacher's reading" if progress.reading else "at most",
        ),
    ]


def _curve(progress: TrainingProgress, key: str) -> None:
    if not progress.epochs:
        st.html(markup.note("The curve begins with the first epoch that ends."))
        return
    chart = charts.training_curves(progress.epochs, "student", color_mode())
    if chart is not None:
        draw_chart(chart, f"{key}-{len(progress.epochs)}", "Loss and validation PRAUC so far")


def _list(service: Service, runs: TrainingRuns) -> None:
    ended = [run for run in runs.all() if run.over]
    if not ended:
        st.html(
            markup.note("Nothing was trained here yet. What you train is listed here, and can be chosen.")
        )
    chosen = student_query().get(STUDENT, "")
    for run in ended:
        with st.container(border=True, key=f"run-{run.id}"):
            _run(service, runs, run, chosen == run.id)


def _run(service: Service, runs: TrainingRuns, run: Run, chosen: bool) -> None:
    label, kind = _STATE[run.state]
    st.html(_run_name(run.name, label, kind, chosen) + markup.note(_when(run)))
    if run.reason:
        st.html(markup.callout(run.reason, "warn"))
    manifest = _manifest(run)
    if manifest is not None:
        compared(manifest)
    if run.cohort != service.engine.cohort.fingerprint.digest:
        st.html(markup.note("It learned from another cohort than the one being served."))
    with st.container(horizontal=True, gap="small"):
        if run.state == "done" and not chosen:
            st.button(
                "Use this student",
                key=f"use-{run.id}",
                on_click=choose_student,
                args=(run.id,),
                type="primary",
            )
        if chosen:
            st.button("Back to the server's own", key=f"leave-{run.id}", on_click=choose_student, args=("",))
        if may_administer():
            st.button("Delete", key=f"delete-{run.id}", on_click=_delete, args=(runs, run.id, chosen))
    progress = read_progress(run.folder, run.ended or run.began)
    if progress.epochs:
        with st.expander("Curve and settings"):
            _curve(progress, f"curve-{run.id}")
            st.html(markup.note(run.request.sentence))


def _run_name(name: str, label: str = "", kind: str = "", chosen: bool = False) -> Markup:
    return macro("run_name", "models/models.html")(name, label, kind, chosen)


def _delete(runs: TrainingRuns, name: str, chosen: bool) -> None:
    if not may_administer():  # a page drawn before the role was taken away
        st.session_state[_MESSAGE] = "Only an administrator may delete what was trained here."
        return
    if chosen:
        choose_student("")
    with message_of_errors(_MESSAGE):
        runs.delete(name)


def _when(run: Run) -> str:
    began = datetime.fromtimestamp(run.began, UTC).astimezone()
    took = f", took {duration(run.ended - run.began)}" if run.ended and run.state != "interrupted" else ""
    text = f"Begun {began:%d %b %Y, %H:%M}{took}."
    if run.state == "interrupted":
        text += " The server was stopped, or the process ended, before it was done."
    return text


def _manifest(run: Run) -> Manifest | None:
    if run.state != "done":
        return None
    try:
        return read_manifest(run.model, kind="student")
    except LeaderError as error:
        st.html(markup.callout(str(error), "warn"))
        return None


def compared(manifest: Manifest) -> None:
    """Validation metrics next to those of the server's own student, where both were judged on the same patients."""
    own = default_service().engine.models["student"].manifest
    names, tables = ["This student"], [manifest.validation]
    if own is not None and own.cohort.digest == manifest.cohort.digest:
        names.append("The server's own")
        tables.append(own.validation)
    elif own is not None:
        st.html(
            markup.note(
                "It learned from another cohort than the server's own student: metrics do not compare."
            )
        )
    headings, rows = metrics.side_by_side(names, tables)
    if rows:
        cases = int(metrics.overall(manifest.validation).get("cases", 0) or 0)
        caption = f"Validation, {count(cases, 'case')}, 95 % intervals" if cases else "Validation"
        st.html(markup.table(headings, rows, numeric=frozenset(range(1, len(headings))), caption=caption))
