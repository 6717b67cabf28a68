"""Where no scores are stored, or those of other models: scoring from the page with progress, or at a terminal."""

from __future__ import annotations

import time
from typing import Final

import streamlit as st

from dashboard.server.answers import defer, without_stored_scores
from dashboard.server.scoring_run import ScoringRun, get_scoring_run, may_score, typed
from dashboard.server.service import Service, reopen
from dashboard.server.settings import read_settings
from dashboard.shared import markup
from dashboard.shared.analysis import model_name
from dashboard.shared.error_messages import message_of_errors, show_message
from dashboard.shared.formatting import count, duration, listing
from dashboard.shared.widgets import switch

_EVERY: Final = 1.0
"""Seconds between two looks at the process."""
_SPLIT: Final = "score_split"
_CHOICES: Final = {"test": "The test split", "all": "All patients"}
_MESSAGE: Final = "_scoring_message"


def show(service: Service) -> None:
    """Why there is nothing yet, and what gives it."""
    run, cohort = get_scoring_run(), service.engine.cohort
    if run.state == "done":
        run.forget()
        if cohort.scores is None:
            reopen()
            st.rerun()
    note = f" {cohort.scores_note}" if cohort.scores_note else ""
    st.html(
        markup.empty(
            "No scores are stored for this cohort",
            f"The error analysis works on scores stored next to the cohort.{note}",
        )
    )
    _scoring(service, run)


def offer_again(service: Service) -> None:
    """Above stored scores that are not those of the models served: says so, and offers to score again."""
    models, run = without_stored_scores(service), get_scoring_run()
    if run.state == "done":
        run.forget()
        reopen()
        st.rerun()
    if not models:
        return
    names = listing(models, at_most=2)
    st.html(
        markup.callout(
            f"These scores are not those of the {names} served now: other weights, another cut-off, or no score at all.",
            "warn",
        )
    )
    with st.expander("Score again", expanded=run.state != "none"):
        _scoring(service, run)


def _scoring(service: Service, run: ScoringRun) -> None:
    """How the last run ended, and the run that goes on or what starts one."""
    if run.state in ("failed", "cancelled"):
        text = "Canceled: nothing was changed." if run.state == "cancelled" else f"It failed. {run.reason}"
        st.html(markup.callout(text, "warn"))
    show_message(_MESSAGE)
    # A slot for each: a run that follows the process does not end, and what is not drawn again would stay there grey.
    following, offering = st.empty(), st.empty()
    if run.state == "running":
        with following.container():
            _follow(run)
    else:
        with offering.container():
            _offer(service, run)


def _offer(service: Service, run: ScoringRun) -> None:
    """The button and the command, and for others than administrators who does it: opening anew costs everybody time."""
    if not may_score():
        st.html(markup.note("Scores are made by an administrator."))
        return
    _form(service, run)
    with st.popover("At a terminal", type="tertiary"):
        st.code(typed(read_settings(), "all"), language=None, wrap_lines=True)
        st.html(
            markup.note(
                "The same as the button. A baseline joins the scores with `python -m train baseline`, then "
                "`python -m train scores --add NAME=FOLDER/scores.parquet`. Press “Look again” when it is done."
            )
        )
        st.button("Look again", key="score_look", on_click=reopen)


def _form(service: Service, run: ScoringRun) -> None:
    patients = service.engine.cohort.fingerprint.patients
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        switch("Whose cases", _CHOICES, labelled=True, default="test", key=_SPLIT)
        if st.button("Score now", type="primary", key="score_now", icon=":material/play_arrow:"):
            with message_of_errors(_MESSAGE):
                run.start(read_settings(), str(st.session_state[_SPLIT]))
            st.rerun()
    st.html(
        markup.note(
            f"A process of its own; pages stay usable. The cohort has {count(patients, 'patient')}, a tenth of them in "
            "the test split. On two processor cores the student takes a second or two for a thousand, the demo's "
            "teacher some two minutes."
        )
    )


def _follow(run: ScoringRun) -> None:
    place = st.empty()
    _draw_progress(run, place)
    if may_score() and st.button(
        "Cancel",
        key="score_cancel",
        help="Nothing is changed until all scores are there.",
        disabled=run.cancelling,
    ):
        run.cancel()
        st.rerun()
    if run.cancelling:
        st.html(markup.note("The process is stopping."))

    def wait() -> bool:
        while run.state == "running":
            time.sleep(_EVERY)
            _draw_progress(run, place)
        return True

    defer("scoring", wait)


def _draw_progress(run: ScoringRun, place: st.delta_generator.DeltaGenerator) -> None:
    name, done, of = run.progress() or ("", 0, 1)
    text = "Reading the cohort, loading the models, scoring the first cases"
    if name:
        text = f"{model_name(name)}: {done:,} of {of:,} cases" + (", next one" if done >= of else "")
    with place.container():
        st.progress(done / max(1, of), f"{text} · {duration(run.seconds)}")
