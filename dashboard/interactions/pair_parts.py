"""What the views of the Interactions page share: the reviewed set, the severities, the card of the chosen pair.

The chosen pair and class are the session's, so that every view speaks of the same ones. Refuses to know the views.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.interactions import coverage, pair_card, review_text
from dashboard.interactions.review_text import Title
from dashboard.interactions.sets import Sets
from dashboard.server.service import Service
from dashboard.shared import markup, url_state, wording
from dashboard.shared.formatting import count
from dashboard.shared.session import Subject
from dashboard.shared.wording import Unit
from leader_core import Order, Review
from leader_core.interactions import is_statistical, pair_review
from leader_core.interactions.review import ordered_drugs

PAIR = "pair"
ABOUT = "about"


@dataclass(frozen=True, slots=True)
class View:
    """One set of a case, reviewed."""

    service: Service
    subject: Subject
    sets: Sets
    chosen: str  # the set's name
    codes: tuple[str, ...]
    review: Review
    orders: tuple[Order, ...]  # that the review went by; empty where they are unknown or ignored
    titles: Title
    unit: Unit  # what a code stands for: a class, or at ATC level 5 a drug

    @property
    def among(self) -> str:
        """ "25 classes" """
        return count(len(self.codes), self.unit.one, self.unit.many)

    @property
    def subject_key(self) -> str:
        return f"{sorted(self.subject.query.items())} {self.chosen}"


def severities(view: View) -> list[str]:
    counts = review_text.counts(view.review.pairs)
    chosen = st.pills(
        "Severity",
        list(review_text.GRADED),
        selection_mode="multi",
        **url_state.mirror("severity"),
        label_visibility="collapsed",
        format_func=lambda level: f"{wording.SEVERITY_LABELS[level]} {counts[level]}",
    )
    return list(chosen)


def picked(opened: str | None) -> None:
    if opened is not None and opened != st.session_state.get(PAIR):
        st.session_state[PAIR] = opened
        st.rerun(scope="fragment")


def card(view: View, key: str) -> None:
    """The card of a pair, whether or not it is of this set."""
    with st.container(key="pair_card"):
        if not key:
            return
        one, other = sorted(key.split("-"))
        entries = view.service.engine.cohort.interactions.pair(one, other)
        graded = [e for e in entries if not is_statistical(e)]
        known = ordered_drugs(view.orders)
        for entry in graded:
            st.html(pair_card.card(pair_review(entry, known), view.titles))
        for entry in entries:
            if is_statistical(entry):
                st.html(pair_card.signal(entry, view.titles))
        if not entries:
            st.html(pair_card.unlisted(one, other, view.titles, coverage.text(view.service)))
        elif not {one, other} <= set(view.codes):
            st.html(markup.note(f"Not both of these {view.unit.many} stand in this set."))
        if graded and st.session_state.get("view") != "structures":
            st.button(
                "Structures of these two",
                icon=":material/hexagon:",
                type="tertiary",
                key="to-structures",
                on_click=_to_structures,
                args=(key,),
            )


def _to_structures(key: str) -> None:
    st.session_state[PAIR] = key
    st.session_state["view"] = "structures"


def no_pairs(view: View) -> None:
    st.html(markup.empty("No pair of these stands in this table", coverage.text(view.service)))


def take_point(key: str) -> None:
    """Take over what was chosen in a figure: a class, a pair, or nothing."""
    event = st.session_state.get(key)
    points = event["selection"]["points"] if event else []
    data = points[0].get("customdata") if points else None
    data = data[0] if isinstance(data, list) else data
    if not data:
        return
    if "|" in data:
        st.session_state[PAIR] = data.replace("|", "-")
        if st.session_state.get(ABOUT) not in data.split("|"):
            st.session_state[ABOUT] = None
    else:
        st.session_state[ABOUT], st.session_state[PAIR] = data, None
