"""The interaction graph: drugs and classes in one column by therapeutic area, alerts as arcs to its left by severity.

A drug that is known stands for itself; a class of which one drug would be chosen is an open circle. Each keeps its place
whichever set is shown, because places follow from all sets together. Names stand in a margin of fixed width, so that
they are whole at any width of the page.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import alert_list, alerts
from dashboard.interactions.graphml import graphml
from dashboard.interactions.sets import ReviewedSet
from dashboard.server import audit
from dashboard.shared import charts, markup, theme, wording
from dashboard.shared.charts import color_mode, with_layout
from dashboard.shared.comparison import area
from dashboard.shared.formatting import count
from dashboard.shared.markup import Title
from dashboard.shared.page_case import titles_of
from dashboard.shared.templates import macro
from dashboard.shared.theme import Mode
from leader_core import Interaction
from leader_core.domain import GRADED, ModelName
from leader_core.interactions import Review
from leader_core.interactions.review import Carrier
from leader_core.interactions.safer_set import SERIOUS

if TYPE_CHECKING:
    import plotly.graph_objects as go

PAIR: Final = "pair"
ABOUT: Final = "about"
"""Session keys of the chosen pair ("A02B-B01AA03") and of the chosen drug or class."""
_LINE: Final = 31  # pixels a name takes; room for one of two lines
_AREA_GAP: Final = 0.45  # of a line, between two therapeutic areas
_NAMES: Final = 226  # pixels of margin for the names
_WIDTH_OF_NAME: Final = 35  # characters a line
_STEPS: Final = 28
MANY: Final = 24
"""Pairs from which only those that stand out carry a symbol: more symbols cover each other on a telephone."""
_FAINT: Final = "Lesser pairs are faint: choose a name's circle to bring out its own."
_CSS_LINES: Final = {"solid": "solid", "dash": "dashed", "dashdot": "dashed", "dot": "dotted"}


def show(reviewed: ReviewedSet) -> None:
    """The graph on the left; on the right the alerts of a chosen pair, drug or class."""
    review = reviewed.review
    entries = pairs_of(review)
    if not entries:
        st.html(markup.empty("No two of these are listed together", wording.NOTHING_LISTED))
        return
    left, right = st.columns([1.25, 1], gap="large")
    about, pair = st.session_state.get(ABOUT), st.session_state.get(PAIR)
    with left:
        levels = alert_list.severities(review)
        drawn = [entry for entry in entries if entry.severity in levels]
        _draw(reviewed, drawn, pair.split("-") if pair else [about] if about else [])
        _export(reviewed, drawn)
    with right:
        if not pair and not about:
            text = "Choose a name's circle to see its alerts, or the symbol on a line to see what the two do together."
            st.html(markup.empty("Nothing chosen", text))
            return
        if st.button("Clear the choice", icon=":material/close:", type="tertiary", key="clear"):
            st.session_state[PAIR] = st.session_state[ABOUT] = None
            st.rerun()
        chosen = set(str(pair or about).split("-"))
        shown = [alert for alert in review.alerts if chosen <= {node(drug) for drug in alert.drugs}]
        name = " and ".join(
            names(review, reviewed.titles).get(code, reviewed.titles(code)) for code in sorted(chosen)
        )
        st.html(markup.panel_title(name, count(len(shown), "alert")))
        st.html(alerts.alerts_html(alerts.grouped(shown, titles_of(reviewed.service))))


def node(drug: Carrier) -> str:
    """The place of a drug in a graph: its own where it is known, else its class's."""
    return drug.code if drug.known else drug.class_code


def pairs_of(review: Review) -> list[Interaction]:
    """The alerts between two drugs or classes, each as a pair of places with the severity that it is shown as."""
    pairs = []
    for alert in review.alerts:
        if alert.kind == "interaction":
            one, other = sorted(map(node, alert.drugs))
            if one != other:
                pairs.append(
                    Interaction(
                        one, other, alert.rank, alert.source, alert.mechanism, alert.effect, alert.management,
                        alert.evidence,
                    )
                )  # fmt: skip
    return pairs


def names(review: Review, title: Title) -> dict[str, str]:
    """The places of a review and what stands next to them: a drug's name, or a class's title."""
    named: dict[str, str] = {}
    for choice in review.choices:
        if choice.known:
            named.update((drug.code, drug.name) for drug in choice.drugs)
        else:
            named[choice.class_code] = title(choice.class_code)
    return named


def _draw(reviewed: ReviewedSet, drawn: Sequence[Interaction], chosen: Sequence[str]) -> None:
    whole = reviewed.known.review(reviewed.sets.everything)
    everything = {code for pair in pairs_of(whole) for code in (pair.code_a, pair.code_b)}
    named = names(reviewed.review, reviewed.titles)
    inside = [code for code in named if code in everything]
    chart = figure(
        inside,
        drawn,
        everything=sorted(everything),
        titles=named,
        chosen=chosen,
        known={drug.code for choice in reviewed.review.choices if choice.known for drug in choice.drugs},
        mode=color_mode(),
    )
    st.html(severity_key() + area_key(inside))
    key = f"graph-{reviewed.name}"
    with st.container(key="graph_box"):
        charts.draw(
            chart,
            key,
            f"{count(len(drawn), 'pair')} among {reviewed.size}",
            on_select=lambda: choose_point(key),
            selection_mode="points",
        )
    notes = ["A full circle is a drug that was ordered, an open one a class of which one would be chosen."]
    if not chosen and len(standing_out(drawn)) < len(drawn):
        notes.append(_FAINT)
    if left_out := [name for code, name in named.items() if code not in everything]:
        notes.append(f"In no pair of these tables: {'; '.join(left_out)}.")
    if apart := sum(alert.kind != "interaction" for alert in reviewed.review.alerts):
        notes.append(f"Not drawn: {count(apart, 'alert')} about conditions or duplications; see Alerts.")
    st.html(markup.note(" ".join(notes)))


def choose_point(chart: str) -> None:
    """Make what was chosen in a chart the session's: a place, a pair, or nothing; a widget's callback."""
    event = st.session_state.get(chart)
    points = event["selection"]["points"] if event else []
    data = points[0].get("customdata") if points else None
    data = data[0] if isinstance(data, list) else data
    if not data:
        return
    is_pair = "|" in data
    st.session_state[PAIR] = data.replace("|", "-") if is_pair else None
    st.session_state[ABOUT] = None if is_pair else data


def _export(reviewed: ReviewedSet, drawn: Sequence[Interaction]) -> None:
    """The graph as it is shown, for Cytoscape, Gephi and the like."""
    scores: dict[ModelName, dict[str, float]] = {}
    for name, each in reviewed.sets.recommendations.items():
        of_class = {m.code: m.probability for m in each.medications}
        drugs = (drug for choice in reviewed.review.choices for drug in choice.drugs)
        scores[name] = {node(d): of_class[d.class_code] for d in drugs if d.class_code in of_class}
    named = names(reviewed.review, reviewed.titles)
    file_name = reviewed.file_name("graphml")
    audit.download_button(
        "Graph as GraphML",
        file_name,
        lambda: graphml(named, drawn, lambda code: named.get(code, code), scores),
        file_name,
        "application/graphml+xml",
        key="export-graph",
        help="Drugs and classes with both scores, pairs with severity and mechanism, for Cytoscape, Gephi or networkx.",
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
        (area(letter), f"background:{theme.area_colour(letter).css}")
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
    known: Collection[str] | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """The graph of `pairs` among `codes`; `everything` fixes the places. Points carry "A" or "A|B": what they are.

    `chosen` names one place or the two of a pair: what belongs to them stands out. `known` places are full circles; by
    default all are.
    """
    import plotly.graph_objects as go

    heights = positions([*everything, *codes])
    lowest = min(heights.values(), default=0.0)
    chart = go.Figure()
    highlighted = standing_out(pairs, chosen)
    others = [p for p in pairs if p not in highlighted]
    if others:
        _edges(chart, others, heights, titles, mode, faint=True, symbols=len(pairs) < MANY)
    _edges(chart, highlighted, heights, titles, mode)
    _nodes(chart, codes, pairs, heights, titles, mode, chosen, set(codes) if known is None else known)
    return with_layout(
        chart,
        mode,
        int(_LINE * (1.0 - lowest)) + 24,
        size=12,
        margin={"l": 2, "r": _NAMES, "t": 2, "b": 2},
        showlegend=False,
        xaxis={"visible": False, "range": [-1.04, 0.06], "automargin": False},
        yaxis={"visible": False, "range": [lowest - 0.7, 0.7], "automargin": False},
    )


def standing_out(pairs: Sequence[Interaction], chosen: Sequence[str] = ()) -> list[Interaction]:
    """The pairs that are drawn in full: of what is chosen, else the severe ones of many, else all."""
    if chosen:
        return [p for p in pairs if set(chosen) <= {p.code_a, p.code_b}]
    severe = [p for p in pairs if p.severity in SERIOUS]
    return severe if severe and len(pairs) >= MANY else list(pairs)


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
    faint: bool = False,
    symbols: bool = True,
) -> None:
    """Arcs severity by severity, the most severe on top; with `symbols`, one on each, by which it can be chosen."""
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
        if not symbols:
            continue
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
    known: Collection[str],
) -> None:
    """One circle for each place in its area's colour with its name; one of another set stays empty."""
    involved = {code for pair in pairs for code in (pair.code_a, pair.code_b)}
    ordered = sorted(codes)
    paper = theme.COLOURS["paper"].of(mode)
    colours = {c: theme.area_colour(c).of(mode) for c in ordered}
    chart.add_scatter(
        x=[0.0] * len(ordered),
        y=[heights[c] for c in ordered],
        mode="markers",
        customdata=ordered,
        text=[f"{titles.get(c, c)} ({c})<br>{area(c)}" for c in ordered],
        hoverinfo="text",
        marker={
            "size": [15 if c in involved else 8 for c in ordered],
            "color": [colours[c] if c in known else paper for c in ordered],
            "opacity": [1.0 if c in involved else 0.55 for c in ordered],
            "line": {"width": 2, "color": [paper if c in known else colours[c] for c in ordered]},
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
