"""The statistical signal apart from the clinical alerts: its rate for each set, and its pairs."""

from __future__ import annotations

import streamlit as st

from dashboard.interactions import sets
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count
from leader_core.interactions import is_statistical


def show(reviewed: ReviewedSet) -> None:
    """Rates on the left, the pairs of the chosen set on the right."""
    left, right = st.columns(2, gap="large")
    with left:
        _rates(reviewed)
    with right:
        _pairs(reviewed)


def _pairs(reviewed: ReviewedSet) -> None:
    signals, title = reviewed.review.signals, reviewed.titles
    number = f"{count(len(signals), 'pair')} among {reviewed.size}"
    st.html(markup.panel_title("Pairs with a statistical signal", number))
    if not signals:
        st.html(markup.empty(f"No pair of {reviewed.size} carries a signal", wording.NOTHING_LISTED))
        return
    effects = [signal.effect.split("\n")[0] for signal in signals]
    said = 3 if any(effects) else 2  # the shipped table names no effects
    rows = [
        (f"{title(s.code_a)} ({s.code_a})", f"{title(s.code_b)} ({s.code_b})", effect)[:said]
        for s, effect in zip(signals, effects, strict=True)
    ]
    st.html(markup.severity("unknown") + markup.table(["One", "Other", "Reported"][:said], rows))
    sources = "; ".join(dict.fromkeys(signal.source for signal in signals))
    st.html(markup.note(f"Source: {sources}."))


def _rates(reviewed: ReviewedSet) -> None:
    """The DDI rate of each set, of what was really ordered, and of the whole vocabulary."""
    cohort, noun = reviewed.service.engine.cohort, reviewed.unit.many
    table = cohort.interactions
    rows = []
    for name, label in {**sets.LABELS, sets.ORDERED: "Really ordered"}.items():
        if name != sets.UNION and (codes := reviewed.sets.codes.get(name)) is not None:
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
