"""The pairs as figures: the graph of a set, and the matrix of the whole vocabulary; what is chosen in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard.interactions import (
    chart_keys,
    coverage,
    matrix_panel,
    pair_list,
    pair_parts,
    review_text,
    sets,
)
from dashboard.interactions.graphml import graphml
from dashboard.interactions.pair_parts import ABOUT, PAIR, View
from dashboard.shared import markup
from dashboard.shared.formatting import count
from leader_core import Interaction
from leader_core.interactions import is_statistical


def graph(view: View) -> None:
    """The graph on the left; on the right the card of a chosen pair, or the pairs of a chosen class."""
    if not view.review.pairs:
        pair_parts.no_pairs(view)
        return
    left, right = st.columns([1.25, 1], gap="large")
    about, pair = st.session_state.get(ABOUT), st.session_state.get(PAIR)
    with left:
        levels = pair_parts.severities(view)
        drawn = [replace(p.entry, severity=p.severity) for p in view.review.standing if p.severity in levels]
        _figure(view, drawn, pair.split("-") if pair else [about] if about else [])
        _export(view, drawn)
    with right:
        if not pair and not about:
            st.html(
                markup.empty(
                    "Nothing chosen",
                    f"Choose a {view.unit.one} to see its pairs, or the mark on a line to see what the pair does.",
                )
            )
            return
        if st.button("Clear the choice", icon=":material/close:", type="tertiary", key="clear"):
            st.session_state[PAIR] = st.session_state[ABOUT] = None
            st.rerun(scope="fragment")
        if about:
            shown = [p for p in view.review.pairs if about in p.codes]
            st.html(markup.panel_title(view.titles(about), count(len(shown), "pair")))
            pair_parts.picked(
                pair_list.show(
                    pair_list.groups_of(review_text.grouped(shown, levels), view.titles),
                    chosen=pair or "",
                    subject=f"{view.subject_key} {about}",
                    key="class-list",
                    empty=f"This {view.unit.one} is in no pair of the chosen severities.",
                )
            )
        if pair:
            pair_parts.card(view, pair)


def matrix(view: View) -> None:
    """The whole vocabulary, and the card of the chosen cell."""
    left, right = st.columns([3.2, 1], gap="medium")
    pair = st.session_state.get(PAIR)
    chosen = tuple(pair.split("-")) if pair else None
    with left:
        matrix_panel.show(view.service, view.codes, chosen, pair_parts.take_point)  # type: ignore[arg-type]
    with right:
        if pair:
            pair_parts.card(view, pair)
        else:
            st.html(
                markup.empty(
                    "No cell chosen", f"Choose a cell to see what the two {view.unit.many} do together."
                )
            )
        st.html(coverage.note(view.service))


def _export(view: View, drawn: Sequence[Interaction]) -> None:
    """The graph as it is shown, for Cytoscape, Gephi and the like."""
    found = view.sets.recommendations
    scores = {name: {m.code: m.probability for m in rec.medications} for name, rec in found.items()}
    st.download_button(
        "Graph as GraphML",
        data=lambda: graphml(view.codes, drawn, view.titles, scores),
        file_name=f"interactions-{sets.LABELS[view.chosen].lower().replace(' ', '-')}.graphml",
        mime="application/graphml+xml",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key="export-graph",
        help="Classes with both scores, pairs with severity and mechanism, for Cytoscape, Gephi or networkx.",
    )


def _figure(view: View, drawn: Sequence[Interaction], chosen: Sequence[str]) -> None:
    from dashboard.interactions.graph_chart import figure

    everything = view.sets.everything
    table = view.service.engine.cohort.interactions
    paired = {c for p in table.among(everything) if not is_statistical(p) for c in (p.code_a, p.code_b)}
    inside = [code for code in view.codes if code in paired]
    made = figure(
        inside,
        drawn,
        everything=[code for code in everything if code in paired],
        titles={c: view.titles(c) for c in everything},
        chosen=chosen,
        mode="dark" if st.context.theme.type == "dark" else "light",
    )
    st.html(chart_keys.severity_key() + chart_keys.area_key(inside))
    with st.container(key="graph_box"):
        st.plotly_chart(
            made,
            key=f"graph-{view.chosen}",
            theme=None,
            on_select=lambda: pair_parts.take_point(f"graph-{view.chosen}"),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"{count(len(drawn), 'pair')} among {view.among}",
        )
    if left := [view.titles(code) for code in view.codes if code not in paired]:
        st.html(markup.note(f"In no pair of this table: {'; '.join(left)}."))
