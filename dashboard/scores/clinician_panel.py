"""Both models on one case in the clinician's view, for Case and New case: what must be known of them, the cards, what follows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import streamlit as st

from dashboard.interactions import sets
from dashboard.scores import clinician_cards, cut_offs, decide_first, trust_panel
from dashboard.scores.trust_text import SimilarResult
from dashboard.server.answers import Scores, all_scores
from dashboard.server.service import Service
from dashboard.shared import navigation, session, wording
from dashboard.shared.case_text import unseen_claims
from dashboard.shared.formatting import day
from dashboard.shared.session import Subject
from dashboard.shared.templates import render
from leader_core import Case, Recommendation
from leader_core.domain import ModelName

Export = Callable[[Mapping[ModelName, Recommendation], SimilarResult, Collection[str]], None]
"""Draws the export button of a page for the scores, neighbours and classes held back that its panel shows."""

_HOLD: Final = "hold_clinician"


def show(service: Service, subject: Subject, export: Export, *, current: bool = True) -> None:
    """The models' states, the cards, and under them the ways on.

    Args:
        service: the engine behind the page.
        subject: the case as it was scored.
        export: draws the export button.
        current: whether the case on screen is the one that was scored; if not, nothing leads on from it.
    """
    scores = all_scores(service, subject.case)
    recommendations = {
        name: answer.recommendation for name, answer in scores.items() if answer.recommendation is not None
    }
    drugs = sets.known_drugs(service, subject)
    against = sets.held_back(service, subject.case, recommendations, drugs)
    held = against if session.holding_back() else {}
    recommendations = sets.without(recommendations, held)
    show_states(service, subject.case, scores)
    recorded = subject.source == "cohort"
    deciding = recorded and session.view() == "decide"
    drugs_chosen = session.decided_drugs(subject.key)
    clinician_cards.show(
        service,
        subject.case,
        recommendations,
        drugs,
        held,
        focus=session.focused_class() if recorded else "",
        own={code: drugs_chosen.get(code, ()) for code in session.decided(subject.key)} if deciding else None,
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="case_files"):
        if deciding:
            decide_first.start_again(subject)
        if against:
            _hold_back()
        if not current:
            return
        navigation.link("interactions", "All alerts and safer set", session.query_for(subject))
        if recommendations:
            near = trust_panel.find_similar(service, subject.case)
            export(recommendations, trust_panel.similar_result(service, near), held)


def _hold_back() -> None:
    """The switch for classes that the patient's conditions forbid; on unless somebody chose otherwise."""
    st.session_state[_HOLD] = session.holding_back()
    st.toggle(
        "Leave out what this patient's conditions forbid",
        key=_HOLD,
        help=wording.HOLD_BACK_CLINICIAN,
        on_change=lambda: session.hold_back(st.session_state[_HOLD]),
    )


def show_states(service: Service, case: Case, scores: Mapping[ModelName, Scores]) -> None:
    """Which model has not answered and why, and what one did not read: said plainly, above the cards."""
    lines = [line for name, each in scores.items() for line in _state(service, case, name, each, scores)]
    if lines:
        st.html(render("scores/model_states.html", lines=lines))


def _state(
    service: Service, case: Case, name: ModelName, own: Scores, scores: Mapping[ModelName, Scores]
) -> list[tuple[ModelName, str, str]]:
    """(model, sentence, what stands on hover) for everything that must be known of one model."""
    others = [other for other in scores if other != name and scores[other].recommendation]
    alone = f" Only the {others[0]}'s suggestions are shown." if others else ""
    result = own.recommendation
    if result is None:
        text = {
            "loading": f"The {name} is still loading; its suggestions appear when it is ready.",
            "running": f"The {name} is reading this case.",
            "absent": f"The {name} is not installed here.",
        }.get(own.status, f"The {name} could not read this case.")
        return [(name, text + alone, own.reason)]
    lines = []
    if own.stored_at is not None and own.status != "ready":
        lines.append((name, f"The {name}'s suggestions were stored on {day(own.stored_at)}.", own.reason))
    if result.truncated:
        lines.append((name, cut_offs.cut_text(service, case, name), ""))
    lines += [(name, f"{claim}.", codes) for claim, codes in unseen_claims(name, result.unseen)]
    return lines
