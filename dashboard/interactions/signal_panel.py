"""The statistical signal apart from the clinical alerts: its rate for each set beside the table's density."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.interactions import sets as sets_
from dashboard.server.service import Service
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count
from leader_core import Interaction

_SHOWN = ("teacher", "student", "prescribed")


def rates(service: Service, codes: Mapping[str, tuple[str, ...]], noun: str) -> None:
    """The DDI rate of each set, of what was really prescribed, and of the whole vocabulary."""
    table, print_ = service.engine.cohort.interactions, service.engine.cohort.fingerprint
    rows = []
    for name in _SHOWN:
        if name in codes:
            own = codes[name]
            found = sum(p.severity == "unknown" for p in table.among(own))
            label = "Really prescribed" if name == "prescribed" else sets_.LABELS[name]
            rows.append([label, f"{len(own)}", f"{found}", f"{table.density(own):.3f}"])
    rows.append(
        [
            f"All {noun} of this cohort (density of the table)",
            f"{print_.medications}",
            "–",
            f"{print_.ddi_density:.3f}",
        ]
    )
    st.html(markup.panel_title("DDI rate", "statistical pairs as a share of all pairs"))
    st.html(
        markup.table(
            ["Set", noun.capitalize(), "Pairs with a signal", "DDI rate"], rows, numeric=frozenset({1, 2, 3})
        )
    )
    st.html(markup.note(f"{wording.STATISTICAL} It is never counted among the clinical alerts."))


def heading(signals: tuple[Interaction, ...], among: str) -> None:
    """How many pairs of the chosen set carry a signal."""
    st.html(
        markup.panel_title("Pairs with a statistical signal", f"{count(len(signals), 'pair')} among {among}")
    )
