"""The statistical signal apart from the clinical alerts: its rate for each set, its pairs, and the chosen pair."""

from __future__ import annotations

import streamlit as st

from dashboard.interactions import pairs, sets
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count
from leader_core.interactions import is_statistical


def show(reviewed: ReviewedSet) -> None:
    """Rates and list on the left, the card of the chosen pair on the right."""
    signals = reviewed.review.signals
    left, right = st.columns([1.12, 1], gap="large")
    with left:
        _rates(reviewed)
        number = f"{count(len(signals), 'pair')} among {reviewed.size}"
        st.html(markup.panel_title("Pairs with a statistical signal", number))
        if not signals:
            st.html(markup.empty(f"No pair of {reviewed.size} carries a signal", pairs.coverage(reviewed)))
            return
        keys = [f"{s.code_a}-{s.code_b}" for s in signals]
        chosen = st.session_state.get(pairs.PAIR)
        if chosen not in keys:
            chosen = keys[0]
        pairs.pair_list(
            pairs.signal_data(signals, reviewed.titles),
            chosen=chosen,
            subject=reviewed.key,
            key="signal-list",
            empty="No pair.",
        )
        st.html(markup.note(pairs.coverage(reviewed)))
    with right, st.container(key="pair_card"):
        st.html(pairs.signal_card(signals[keys.index(chosen)], reviewed.titles))


def _rates(reviewed: ReviewedSet) -> None:
    """The DDI rate of each set, of what was really prescribed, and of the whole vocabulary."""
    cohort, noun = reviewed.service.engine.cohort, reviewed.unit.many
    table = cohort.interactions
    rows = []
    for name, label in {**sets.LABELS, "prescribed": "Really prescribed"}.items():
        if name != "union" and (codes := reviewed.sets.codes.get(name)) is not None:
            number = sum(map(is_statistical, table.among(codes)))
            rows.append([label, f"{len(codes)}", f"{number}", f"{table.density(codes):.3f}"])
    whole = cohort.fingerprint
    rows.append(
        [
            f"All {noun} of this cohort (density of the table)",
            f"{whole.medications}",
            "–",
            f"{whole.ddi_density:.3f}",
        ]
    )
    headings = ["Set", noun.capitalize(), "Pairs with a signal", "DDI rate"]
    st.html(markup.panel_title("DDI rate", "statistical pairs as a share of all pairs"))
    st.html(markup.table(headings, rows, numeric=frozenset({1, 2, 3})))
    st.html(markup.note(f"{wording.STATISTICAL} It is never counted among the clinical alerts."))
