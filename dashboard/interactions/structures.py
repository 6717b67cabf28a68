"""Structures of the two drugs of an alert, side by side, with what they share highlighted.

RDKit is loaded when this view is first drawn.
"""

from __future__ import annotations

import base64
from typing import Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions.graph import PAIR, node
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count
from dashboard.shared.templates import macro
from leader_core.interactions import Alert, structures
from leader_core.interactions.review import Carrier
from leader_core.interactions.structures import SharedSubstructure, Structure

_NOTHING_EXPLAINED: Final = (
    "A shared substructure explains no interaction and predicts none: what the two do together, and why, is "
    "under Alerts."
)
_WIDTH: Final = 420
_HEIGHT: Final = 300


def show(reviewed: ReviewedSet) -> None:
    """Structures of the drugs of one alert, of those whose both drugs have one."""
    listed = {
        "-".join(sorted(map(node, alert.drugs))): alert
        for alert in reviewed.review.alerts
        if alert.kind == "interaction" and all(map(_structure, alert.drugs))
    }
    if not listed:
        text = "The table of structures holds small molecules only, of drugs that stand for their class."
        st.html(markup.empty("No alert here is about two drugs with a structure", text))
        return
    options = list(listed)
    chosen = st.session_state.get(PAIR)
    if st.session_state.get("structures_pair") not in options or chosen in options:
        st.session_state["structures_pair"] = chosen if chosen in options else options[0]
    key = str(
        st.selectbox(
            "Drugs",
            options,
            key="structures_pair",
            format_func=lambda key: f"{wording.SEVERITY_LABELS[listed[key].rank]}: {listed[key].title}",
            on_change=_choose_pair,
        )
    )
    _draw(listed[key], dark=st.context.theme.type == "dark")


def _choose_pair() -> None:
    st.session_state[PAIR] = st.session_state["structures_pair"]


def _draw(alert: Alert, *, dark: bool) -> None:
    first, second = filter(None, map(_structure, alert.drugs))
    with st.spinner("Drawing the structures", show_time=False):
        drawings, common = _drawn(first, second, dark)
    for structure, svg, column in zip((first, second), drawings, st.columns(2, gap="large"), strict=True):
        with column:
            st.html(markup.panel_title(structure.drug, structure.ingredient) + _picture(structure, svg))
    st.html(markup.note(_shared(common)))
    if common.telling:
        st.html(markup.note(_NOTHING_EXPLAINED))


def _structure(drug: Carrier) -> Structure | None:
    """The structure of this very drug; None where the table has none."""
    same = (s for s in structures.all_representatives() if s.ingredient == drug.code or s.drug == drug.name)
    return next(same, None)


@st.cache_data(max_entries=256, show_spinner=False)
def _drawn(first: Structure, second: Structure, dark: bool) -> tuple[tuple[str, str], SharedSubstructure]:
    """SVG of two drugs, and what they share."""
    one, other, common = structures.draw_shared(first, second, width=_WIDTH, height=_HEIGHT, dark=dark)
    return (one, other), common


def _picture(structure: Structure, svg: str) -> Markup:
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return macro("structure", "interactions/charts.html")(source, structure, _WIDTH, _HEIGHT)


def _shared(common: SharedSubstructure) -> str:
    if common.telling:
        text = (
            f"Highlighted: their largest common substructure, {count(common.atoms, 'atom')} without hydrogen, "
            "no ring is split."
        )
    else:
        text = (
            "They have no more in common than many drugs have, such as a single ring: nothing is highlighted."
        )
    late = " The search was stopped after a second: a larger common part may exist."
    return text + (late if common.timed_out else "")
