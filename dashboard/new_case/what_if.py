"""One-click counterfactuals of an entered case: without each diagnosis, with another profile, with another drug.

Every row is the model run on a changed case; none says what would happen to a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import streamlit as st

from dashboard.server.service import Service, case_key
from dashboard.shared import markup, wording
from dashboard.shared.case_text import profile_value
from dashboard.shared.draft import Draft, replace_draft
from dashboard.shared.formatting import MISSING, listing, plain, probability
from dashboard.shared.markup import Titles
from dashboard.shared.page_case import titles_of
from dashboard.shared.templates import render
from dashboard.shared.widgets import switch
from leader_core import Case, Recommendation
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.explain import (
    Change,
    ChangeEffect,
    Outcomes,
    apply,
    flips,
    interacting_drugs,
    score_changes,
    without_each_diagnosis,
)

SHOWN: Final = 12
_RESULT: Final = "_what_if"
_WHAT: Final = (
    "Each change by itself, scored again: exact, but effects of several changes need not add up, and none of "
    "them says what would happen to a patient."
)


def show(service: Service, case: Case, answers: Mapping[ModelName, Recommendation]) -> None:
    """The panel, for a case that the models of `answers` have scored."""
    st.html(markup.panel_title("What changes if", "one change at a time"))
    if not answers:
        st.html(markup.note("Available as soon as a model has scored the case."))
        return
    available = {name: wording.MODEL_LABELS[name] for name in MODEL_NAMES if name in answers}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        model: ModelName = switch("Model", available, default=list(available)[-1], key="what-if-model")
        pressed = st.button("Try each change", key="what-if", icon=":material/difference:")
    identity = (service.serial, case_key(case), model)
    if pressed:
        st.session_state[_RESULT] = (identity, _score(service, case, model, answers[model]))
    result = st.session_state.get(_RESULT)
    if result is None or result[0] != identity:
        st.html(markup.note(_scope(case, model)))
        return
    _list(service, case, result[1], answers[model])


def _scope(case: Case, model: ModelName) -> str:
    parts = ["each diagnosis of the current visit left out"]
    if model == "student":
        parts.append("each profile field that is given set to each other value")
    if case.history:
        parts.append("a drug that interacts with a suggested one added to the last earlier visit")
    return f"Tries {listing(parts)}."


def _changes(service: Service, case: Case, recommendation: Recommendation) -> tuple[Change, ...]:
    cohort, fields = service.engine.cohort, recommendation.profile_read
    values = {field: tuple(cohort.profile_values(field)) for field in fields}
    suggested = [m.code for m in recommendation.selected]
    vocabulary = sorted(m.code for m in recommendation.medications)
    return (
        *without_each_diagnosis(case),
        *flips(case, values),
        *interacting_drugs(case, cohort.interactions, suggested, vocabulary),
    )


def _score(service: Service, case: Case, model: ModelName, recommendation: Recommendation) -> Outcomes:
    bar = st.progress(0.0, text="Scoring the case under each change.")

    def report_progress(done: int, total: int) -> None:
        bar.progress(min(1.0, done / max(1, total)))

    changes = _changes(service, case, recommendation)
    outcomes = score_changes(service.engine, case, model, changes, on_progress=report_progress)
    bar.empty()
    return outcomes


def ranked(outcomes: Outcomes) -> list[ChangeEffect]:
    """The changes with the largest effect first: by classes added or removed, then by the largest change of a score."""
    return sorted(outcomes.change_effects(), key=lambda m: (-len(m.added) - len(m.removed), -abs(m.by)))


def _list(service: Service, case: Case, outcomes: Outcomes, recommendation: Recommendation) -> None:
    titles = titles_of(service)
    effects = ranked(outcomes)
    if not effects:
        st.html(
            markup.empty("Nothing to try", "The case has no diagnosis to leave out and no profile to change.")
        )
        return
    before = {m.code: m.probability for m in recommendation.medications}
    for number, effect in enumerate(effects[:SHOWN]):
        text = describe(effect.change, case, titles)
        with st.container(key=f"what-if-row-{number}", gap=None):
            st.html(
                render("new_case/what_if_row.html", heading=text, effects=_effects(effect, titles, before))
            )
            st.button(
                "Make this a variant",
                key=f"what-if-take-{number}",
                type="tertiary",
                icon=":material/call_split:",
                help=plain(text),
                on_click=_take,
                args=(case, effect.change, titles),
            )
    rest = len(effects) - SHOWN
    st.html(markup.note((f"{rest} more change less. " if rest > 0 else "") + _WHAT))


def _effects(effect: ChangeEffect, titles: Titles, before: Mapping[str, float]) -> list[tuple[str, str]]:
    """Which suggestions a change adds and removes, and the score that it changes most."""
    facts = [
        (label, listing(titles("medication", code) for code in codes))
        for label, codes in (("+ added", effect.added), ("− removed", effect.removed))
        if codes
    ]
    old = before.get(effect.largest)
    largest = MISSING
    if old is not None:
        new = min(1.0, max(0.0, old + effect.by))
        largest = f"{titles('medication', effect.largest)} {probability(old)} → {probability(new)}"
    return [*facts, ("largest change", largest)]


def describe(change: Change, case: Case, titles: Titles) -> str:
    """A change in words."""
    item = change.item
    if item.part == "profile":
        label = wording.FIELD_LABELS.get(item.name, item.name)
        return f"{label}: {profile_value(item.name, case.profile[item.name])} → {profile_value(item.name, change.value)}"
    title = titles(item.kind, item.name) if item.kind else item.name
    if change.action == "add":
        return f"With {title} in the last earlier visit"
    return f"Without {title}"


def _take(case: Case, change: Change, titles: Titles) -> None:
    """Make the changed case the draft, with the case it came from as its origin; it can be undone."""
    changed = apply(case.observed(), change)
    known = {code: titles(kind, code) for kind, code in changed.codes()}
    draft = Draft.from_case(changed, known, name="the case before")
    if not draft.problem:  # else nothing of it is left to score, but it can be filled
        draft = draft.submit()
    replace_draft(replace(draft, origin=case.observed()))
