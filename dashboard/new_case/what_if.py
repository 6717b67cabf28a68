"""One-click counterfactuals of an entered case: what changes without each diagnosis, with another profile, another drug.

Every row is the model asked anew about a changed case; none says what would happen to a patient. Refuses to know how a
change is made and scored, which `leader_core.explain` owns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import streamlit as st

from dashboard.new_case import undo
from dashboard.server.service import MODELS, ModelName, Service, case_key
from dashboard.shared import markup, wording
from dashboard.shared.draft import Draft
from dashboard.shared.formatting import MISSING, escape, listing, probability, tag, words
from dashboard.shared.markup import Titles
from dashboard.shared.subject import titles_of
from leader_core import Case, Recommendation
from leader_core.explain import (
    Change,
    Moved,
    Outcomes,
    apply,
    flips,
    interacting_drugs,
    score_changes,
    without_each_diagnosis,
)

SHOWN: Final = 12
_FOUND: Final = "_what_if"
_WHAT: Final = (
    "Each change by itself, the model asked anew: exact, but effects of several changes need not add up, and none of "
    "them says what would happen to a patient."
)


def show(service: Service, case: Case, answers: Mapping[ModelName, Recommendation]) -> None:
    """The panel, for a case that the models of `answers` have scored."""
    st.html(markup.panel_title("What changes if", "one change at a time"))
    if not answers:
        st.html(markup.note("It can be tried when a model has answered."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.segmented_control(
            "Ask", [m for m in MODELS if m in answers], default=[m for m in MODELS if m in answers][-1],
            required=True, key="what-if-model", format_func=wording.MODEL_NAMES.__getitem__, label_visibility="collapsed",
        )  # fmt: skip
        pressed = st.button("Try each change", key="what-if", icon=":material/difference:")
    model: ModelName = name  # type: ignore[assignment]
    identity = (id(service), case_key(case), model)
    if pressed:
        st.session_state[_FOUND] = (identity, _tried(service, case, model, answers[model]))
    kept = st.session_state.get(_FOUND)
    if kept is None or kept[0] != identity:
        st.html(markup.note(_scope(case, model)))
        return
    _listed(service, case, kept[1], answers[model])


def _scope(case: Case, model: ModelName) -> str:
    """What would be tried."""
    told = ["each diagnosis of the current visit left out"]
    if model == "student":
        told.append("each profile field that the student reads set to each other value")
    if case.history:
        told.append("a drug that interacts with a suggested one added to the last earlier visit")
    return f"Tries {listing(told)}."


def changes_of(service: Service, case: Case, model: ModelName, found: Recommendation) -> tuple[Change, ...]:
    """Everything that is tried, each by itself."""
    fields = found.profile_read
    values = {field: tuple(service.engine.cohort.profile_values(field)) for field in fields}
    chosen = [m.code for m in found.selected]
    vocabulary = sorted(m.code for m in found.medications)
    return (
        *without_each_diagnosis(case),
        *flips(case, values, fields),
        *interacting_drugs(case, service.engine.cohort.interactions, chosen, vocabulary),
    )


def _tried(service: Service, case: Case, model: ModelName, found: Recommendation) -> Outcomes:
    bar = st.progress(0.0, text="Asking the model about each change.")

    def tell(done: int, whole: int) -> None:
        bar.progress(min(1.0, done / max(1, whole)))

    changes = changes_of(service, case, model, found)
    outcomes = score_changes(service.engine, case, model, changes, each=tell)
    bar.empty()
    return outcomes


def ranked(outcomes: Outcomes) -> list[Moved]:
    """The changes that change most first: by classes that come or go, then by the score that moves furthest."""
    return sorted(outcomes.moved(), key=lambda m: (-len(m.added) - len(m.removed), -abs(m.by)))


def _listed(service: Service, case: Case, outcomes: Outcomes, found: Recommendation) -> None:
    titles = titles_of(service)
    order = ranked(outcomes)
    if not order:
        st.html(
            markup.empty("Nothing to try", "The case has no diagnosis to leave out and no profile to change.")
        )
        return
    before = {m.code: m.probability for m in found.medications}
    for place, moved in enumerate(order[:SHOWN]):
        with st.container(key=f"what-if-row-{place}", gap=None):
            st.html(_row(moved, case, titles, before))
            st.button(
                "Make this a variant", key=f"what-if-take-{place}", type="tertiary", icon=":material/call_split:",
                help=told(moved.change, case, titles), on_click=_take, args=(case, moved.change, titles),
            )  # fmt: skip
    rest = len(order) - SHOWN
    st.html(markup.note((f"{rest} more change less. " if rest > 0 else "") + _WHAT))


def _row(moved: Moved, case: Case, titles: Titles, before: Mapping[str, float]) -> str:
    """What the change is, which suggestions come and go, and the score that moves furthest."""
    facts = [
        (label, listing(titles("medication", code) for code in codes))
        for label, codes in (("+ added", moved.added), ("− removed", moved.removed))
        if codes
    ]
    old = before.get(moved.largest)
    furthest = MISSING
    if old is not None:
        new = min(1.0, max(0.0, old + moved.by))
        furthest = f"{titles('medication', moved.largest)} {probability(old)} → {probability(new)}"
    facts.append(("moved most" if facts else "no class; most", furthest))
    return tag(
        "div", tag("strong", escape(told(moved.change, case, titles))), markup.facts(facts), css="ld-what-if"
    )


def told(change: Change, case: Case, titles: Titles) -> str:
    """A change in words."""
    item = change.item
    if item.part == "profile":
        label = wording.FIELD_LABELS.get(item.name, item.name)
        return f"{label}: {words(case.profile[item.name])} → {words(change.value)}"
    title = titles(item.kind or "", item.name)
    if change.action == "add":
        return f"With {title} in the last earlier visit"
    return f"Without {title}"


def _take(case: Case, change: Change, titles: Titles) -> None:
    """The changed case becomes the draft, beside the one it came from; the step can be undone."""
    made = apply(case.observed(), change)
    known = {code: titles(kind, code) for kind, code in made.codes()}
    draft = Draft.from_case(made, known, name="the case before")
    made_whole = (
        draft if draft.problem else draft.submit()
    )  # nothing is left of it: it can be filled, not scored
    undo.change(replace(made_whole, origin=case.observed()))
    for key in [k for k in st.session_state if str(k).startswith(("profile-", "_draft_visit"))]:
        del st.session_state[key]
