"""The interaction graph: classes in one column by therapeutic area, pairs as arcs to its left by severity.

A class keeps its place whichever set is shown, because places follow from all sets together. Names stand in a margin
of fixed width, so that they are whole at any width of the page.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import pairs, review_text
from dashboard.interactions.pairs import ABOUT, PAIR
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import markup, theme, wording
from dashboard.shared.comparison import area
from dashboard.shared.formatting import count
from dashboard.shared.templates import macro
from dashboard.shared.theme import Mode
from leader_core import Interaction
from leader_core.domain import GRADED, ModelName
from leader_core.interactions import is_statistical

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LINE: Final = 31  # pixels a class takes; room for a name of two lines
_AREA_GAP: Final = 0.45  # of a line, between two therapeutic areas
_NAMES: Final = 226  # pixels of margin for the names
_WIDTH_OF_NAME: Final = 35  # characters a line
_STEPS: Final = 28
_CSS_LINES: Final = {"solid": "solid", "dash": "dashed", "dashdot": "dashed", "dot": "dotted"}


def show(reviewed: ReviewedSet) -> None:
    """The graph on the left; on the right the card of a chosen pair, or the pairs of a chosen class."""
    if not reviewed.review.pairs:
        pairs.no_pairs(reviewed)
        return
    left, right = st.columns([1.25, 1], gap="large")
    about, pair = st.session_state.get(ABOUT), st.session_state.get(PAIR)
    with left:
        levels = pairs.severities(reviewed)
        drawn = [
            replace(p.entry, severity=p.severity)
            for p in reviewed.review.pairs_not_ruled_out
            if p.severity in levels
        ]
        _draw(reviewed, drawn, pair.split("-") if pair else [about] if about else [])
        _export(reviewed, drawn)
    with right:
        if not pair and not about:
            st.html(
                markup.empty(
                    "Nothing chosen",
                    f"Choose a {reviewed.unit.one} to see its pairs, or the symbol on a line to see what the pair does.",
                )
            )
            return
        if st.button("Clear the choice", icon=":material/close:", type="tertiary", key="clear"):
            st.session_state[PAIR] = st.session_state[ABOUT] = None
            st.rerun()
        if about:
            _of_class(reviewed, about, levels, pair or "")
        if pair:
            pairs.chosen_card(reviewed, pair)


def _of_class(reviewed: ReviewedSet, about: str, levels: Sequence[str], chosen: str) -> None:
    shown = [p for p in reviewed.review.pairs if about in p.codes]
    st.html(markup.panel_title(reviewed.titles(about), count(len(shown), "pair")))
    pairs.pair_list(
        pairs.group_data(review_text.grouped(shown, levels), reviewed.titles),
        chosen=chosen,
        subject=f"{reviewed.key} {about}",
        key="class-list",
        empty=f"This {reviewed.unit.one} is in no pair of the chosen severities.",
    )


def _draw(reviewed: ReviewedSet, drawn: Sequence[Interaction], chosen: Sequence[str]) -> None:
    everything = reviewed.sets.everything
    table = reviewed.service.engine.cohort.interactions
    paired = {c for p in table.among(everything) if not is_statistical(p) for c in (p.code_a, p.code_b)}
    inside = [code for code in reviewed.codes if code in paired]
    chart = figure(
        inside,
        drawn,
        everything=[code for code in everything if code in paired],
        titles={c: reviewed.titles(c) for c in everything},
        chosen=chosen,
        mode="dark" if st.context.theme.type == "dark" else "light",
    )
    st.html(severity_key() + area_key(inside))
    key = f"graph-{reviewed.name}"
    with st.container(key="graph_box"):
        st.plotly_chart(
            chart,
            key=key,
            theme=None,
            on_select=lambda: pairs.choose_point(key),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"{count(len(drawn), 'pair')} among {reviewed.size}",
        )
    if left_out := [reviewed.titles(code) for code in reviewed.codes if code not in paired]:
        st.html(markup.note(f"In no pair of this table: {'; '.join(left_out)}."))


def _export(reviewed: ReviewedSet, drawn: Sequence[Interaction]) -> None:
    """The graph as it is shown, for Cytoscape, Gephi and the like."""
    recommendations = reviewed.sets.recommendations
    scores = {
        name: {m.code: m.probability for m in each.medications} for name, each in recommendations.items()
    }
    st.download_button(
        "Graph as GraphML",
        data=lambda: graphml(reviewed.codes, drawn, reviewed.titles, scores),
        file_name=reviewed.file_name("graphml"),
        mime="application/graphml+xml",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key="export-graph",
        help="Classes with both scores, pairs with severity and mechanism, for Cytoscape, Gephi or networkx.",
    )


def severity_key() -> Markup:
    """The lines of the graph: their style says what their colour says."""
    lines = []
    for level in GRADED:
        dash, width = theme.EDGE_STYLES[level]
        style = f"border-top:{max(1, round(width * 0.75))}px {_CSS_LINES[dash]} var(--{level})"
        lines.append((level, style))
    return macro("severity_key", "interactions/charts.html")(lines)


def area_key(codes: Iterable[str]) -> Markup:
    """The therapeutic areas of these classes, each with its colour in the graph."""
    rows = [
        (area(letter), f"background:{theme.AREA_COLOURS.get(letter, theme.AREA_COLOURS['V']).css}")
        for letter in sorted({code[:1] for code in codes})
    ]
    return macro("swatches", "interactions/charts.html")(rows)


def positions(codes: Sequence[str]) -> dict[str, float]:
    """A height for each class from 0 downwards, in ATC's order, with a gap between two therapeutic areas.

    >>> positions(["N02A", "A02B", "A02A"])
    {'A02A': 0.0, 'A02B': -1.0, 'N02A': -2.45}
    """
    heights: dict[str, float] = {}
    height, before = 0.0, ""
    for code in sorted(set(codes)):
        height += _AREA_GAP if before and code[:1] != before else 0.0
        heights[code] = -round(height, 2) + 0.0
        height += 1.0
        before = code[:1]
    return heights


def figure(
    codes: Sequence[str],
    pairs: Sequence[Interaction],
    *,
    everything: Sequence[str],
    titles: Mapping[str, str],
    chosen: Sequence[str] = (),
    mode: Mode = "light",
) -> go.Figure:
    """The graph of `pairs` among `codes`; `everything` fixes the places. Points carry "A" or "A|B": what they are.

    `chosen` names one class or the two of a pair: what belongs to them stands out.
    """
    import plotly.graph_objects as go

    heights = positions([*everything, *codes])
    lowest = min(heights.values(), default=0.0)
    chart = go.Figure()
    highlighted = [p for p in pairs if set(chosen) <= {p.code_a, p.code_b}] if chosen else list(pairs)
    others = [p for p in pairs if p not in highlighted]
    if others:
        _edges(chart, others, heights, titles, mode, faint=True)
    _edges(chart, highlighted, heights, titles, mode, faint=False)
    _nodes(chart, codes, pairs, heights, titles, mode, chosen)
    paper = theme.COLOURS["paper"].of(mode)
    chart.update_layout(
        height=int(_LINE * (1.0 - lowest)) + 24,
        margin={"l": 2, "r": _NAMES, "t": 2, "b": 2},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"family": theme.FONT, "size": 12, "color": theme.COLOURS["ink"].of(mode)},
        showlegend=False,
        hoverlabel={"font": {"family": theme.FONT, "size": 13}},
        xaxis={"visible": False, "range": [-1.04, 0.06], "fixedrange": True},
        yaxis={"visible": False, "range": [lowest - 0.7, 0.7], "fixedrange": True},
        dragmode=False,
        clickmode="event+select",
    )
    return chart


def arc(start: float, end: float, span: float) -> list[tuple[float, float]]:
    """Points of a half ellipse to the left of the column; the further apart, the deeper.

    >>> arc(0.0, -4.0, 4.0)[_STEPS // 2]
    (-1.0, -2.0)
    """
    depth = (abs(start - end) / (span or 1.0)) ** 0.72
    middle, half = (start + end) / 2, (start - end) / 2
    return [
        (
            round(-depth * math.sin(math.pi * i / _STEPS), 4),
            round(middle + half * math.cos(math.pi * i / _STEPS), 4),
        )
        for i in range(_STEPS + 1)
    ]


def _edges(
    chart: go.Figure,
    pairs: Sequence[Interaction],
    heights: Mapping[str, float],
    titles: Mapping[str, str],
    mode: Mode,
    *,
    faint: bool,
) -> None:
    """Arcs severity by severity, the most severe on top, and a symbol on each that can be chosen."""
    span = max(heights.values()) - min(heights.values()) if heights else 1.0
    for severity in reversed(list(theme.EDGE_STYLES)):
        among = [p for p in pairs if p.severity == severity]
        if not among:
            continue
        curves = [arc(heights[p.code_a], heights[p.code_b], span) for p in among]
        xs: list[float | None] = []
        ys: list[float | None] = []
        for curve in curves:
            xs += [x for x, _ in curve] + [None]
            ys += [y for _, y in curve] + [None]
        dash, width = theme.EDGE_STYLES[severity]
        colour = theme.COLOURS[severity].of(mode)
        chart.add_scatter(
            x=xs,
            y=ys,
            mode="lines",
            opacity=0.14 if faint else 0.75,
            line={"color": colour, "width": width * 0.75, "dash": dash},
            hoverinfo="skip",
            name=severity,
        )
        middles = [curve[_STEPS // 2] for curve in curves]
        chart.add_scatter(
            x=[x for x, _ in middles],
            y=[y for _, y in middles],
            mode="markers",
            text=[
                f"{titles.get(p.code_a, p.code_a)} + {titles.get(p.code_b, p.code_b)}<br>"
                f"{wording.SEVERITY_LABELS[severity]}"
                for p in among
            ],
            hoverinfo="text",
            name=f"{severity} pairs",
            customdata=[f"{p.code_a}|{p.code_b}" for p in among],
            opacity=0.35 if faint else 1.0,
            marker={
                "size": 10,
                "color": colour,
                "symbol": theme.EDGE_MARKS[severity],
                "line": {"width": 1.5, "color": theme.COLOURS["paper"].of(mode)},
            },
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 0.35 if faint else 1}},
        )


def _nodes(
    chart: go.Figure,
    codes: Sequence[str],
    pairs: Sequence[Interaction],
    heights: Mapping[str, float],
    titles: Mapping[str, str],
    mode: Mode,
    chosen: Sequence[str],
) -> None:
    """One symbol for each class in its area's colour with its name; a class of another set keeps an empty place."""
    involved = {code for pair in pairs for code in (pair.code_a, pair.code_b)}
    ordered = sorted(codes)
    paper = theme.COLOURS["paper"].of(mode)
    chart.add_scatter(
        x=[0.0] * len(ordered),
        y=[heights[c] for c in ordered],
        mode="markers",
        customdata=ordered,
        text=[f"{titles.get(c, c)} ({c})<br>{area(c)}" for c in ordered],
        hoverinfo="text",
        marker={
            "size": [15 if c in involved else 8 for c in ordered],
            "color": [theme.AREA_COLOURS.get(c[:1], theme.AREA_COLOURS["V"]).of(mode) for c in ordered],
            "opacity": [1.0 if c in involved else 0.55 for c in ordered],
            "line": {"width": 1.5, "color": paper},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0.9}},
        name="classes",
    )
    for code in ordered:
        colour = theme.COLOURS["ink" if code in involved else "muted"].of(mode)
        text = "<br>".join(_lines(titles.get(code, code)))
        chart.add_annotation(
            x=0,
            y=heights[code],
            xshift=13,
            text=f"<b>{text}</b>" if code in chosen else text,
            align="left",
            showarrow=False,
            xanchor="left",
            captureevents=False,
            font={"size": 12, "color": colour},
        )


def _lines(title: str) -> list[str]:
    """A name on at most two lines; what is longer is cut at a word, with the whole of it on hover."""
    return textwrap.wrap(title, _WIDTH_OF_NAME, max_lines=2, placeholder="…")


def graphml(
    codes: Iterable[str],
    pairs: Iterable[Interaction],
    titles: Callable[[str], str],
    scores: Mapping[ModelName, Mapping[str, float]],
) -> bytes:
    """The interactions of a set as a graph that other programs open: classes as nodes, pairs as edges, in UTF-8.

    Args:
        codes: ATC codes of the set; one without any pair is a node without an edge.
        pairs: among them, each with the severity that it has for these drugs.
        titles: a class's title.
        scores: model -> code -> probability; a class that a model did not score has none.
    """
    import networkx as nx

    graph = nx.Graph()
    for code in sorted(set(codes)):
        scored = {model: round(of[code], 6) for model, of in scores.items() if code in of}
        graph.add_node(code, title=titles(code), area=area(code), **scored)
    for pair in sorted(pairs, key=lambda each: (each.code_a, each.code_b)):
        attributes = {
            "severity": pair.severity,
            "effect": pair.effect,
            "mechanism": pair.mechanism,
            "management": pair.management,
            "evidence": pair.evidence,
            "source": pair.source,
        }
        graph.add_edge(pair.code_a, pair.code_b, **{key: value for key, value in attributes.items() if value})
    return "\n".join(nx.generate_graphml(graph, named_key_ids=True)).encode()
