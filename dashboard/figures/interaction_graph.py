"""The interaction graph: classes on a circle by therapeutic area, pairs as lines by severity.

A class keeps its place whichever set is shown, because places follow from all sets together.
Refuses to know about Streamlit.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dashboard import theme, wording
from dashboard.comparison import area
from dashboard.theme import Mode
from leader_core import SEVERITIES, Interaction

if TYPE_CHECKING:
    import plotly.graph_objects as go


def positions(codes: Sequence[str]) -> dict[str, tuple[float, float]]:
    """A place for each class, in ATC's order so that areas stand together: down the right side, up the left.

    Heights are even, so that names beside the marks never run into each other.

    >>> positions(["N02A", "A02B"])
    {'A02B': (1.0, 0.0), 'N02A': (-1.0, 0.0)}
    """
    ordered = sorted(set(codes))
    half = (len(ordered) + 1) // 2
    places = _side(ordered[:half], 1.0)
    places.update(_side(ordered[half:][::-1], -1.0))
    return places


def _side(codes: Sequence[str], sign: float) -> dict[str, tuple[float, float]]:
    """Places on one side, from the top down."""
    rows = len(codes)
    heights = [0.0] if rows == 1 else [1.0 - 2.0 * i / (rows - 1) for i in range(rows)]
    return {
        code: (sign * math.sqrt(1.0 - (0.94 * y) ** 2), y) for code, y in zip(codes, heights, strict=True)
    }


def figure(
    codes: Sequence[str],
    pairs: Sequence[Interaction],
    *,
    everything: Sequence[str],
    titles: Mapping[str, str],
    mode: Mode = "light",
) -> go.Figure:
    """The graph of `pairs` among `codes`; `everything` fixes the places. Points carry "A" or "A|B": what they are."""
    import plotly.graph_objects as go

    places = positions([*everything, *codes])
    drawn = go.Figure()
    for severity in reversed(SEVERITIES):
        among = [p for p in pairs if p.severity == severity]
        if among:
            _edges(drawn, among, severity, places, titles, mode)
    _nodes(drawn, codes, pairs, places, titles, mode)
    ink, paper = theme.COLOURS["ink"].of(mode), theme.COLOURS["paper"].of(mode)
    rows = (len(places) + 1) // 2
    drawn.update_layout(
        height=max(360, 29 * rows + 60),
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"family": theme.FONT, "size": 12, "color": ink},
        showlegend=False,
        hoverlabel={"font": {"family": theme.FONT, "size": 13}},
        xaxis={"visible": False, "range": [-2.5, 2.5], "fixedrange": True},
        yaxis={"visible": False, "range": [-1.1, 1.1], "fixedrange": True},
        dragmode=False,
        clickmode="event+select",
    )
    return drawn


def _edges(
    drawn: go.Figure,
    pairs: Sequence[Interaction],
    severity: str,
    places: Mapping[str, tuple[float, float]],
    titles: Mapping[str, str],
    mode: Mode,
) -> None:
    """Curved lines of one severity, and a mark in the middle of each that can be chosen."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    middles: list[tuple[float, float]] = []
    for pair in pairs:
        curve = _curve(places[pair.code_a], places[pair.code_b])
        xs += [x for x, _ in curve] + [None]
        ys += [y for _, y in curve] + [None]
        middles.append(curve[len(curve) // 2])
    dash, width = theme.EDGE_STYLES[severity]
    colour = theme.COLOURS[severity].of(mode)
    drawn.add_scatter(
        x=xs,
        y=ys,
        mode="lines",
        opacity=0.8,
        line={"color": colour, "width": width, "dash": dash},
        hoverinfo="skip",
        name=severity,
    )
    hover = [
        f"{titles.get(p.code_a, p.code_a)} + {titles.get(p.code_b, p.code_b)}<br>{wording.SEVERITY_LABELS[severity]}"
        for p in pairs
    ]
    drawn.add_scatter(
        x=[x for x, _ in middles],
        y=[y for _, y in middles],
        mode="markers",
        text=hover,
        hoverinfo="text",
        name=f"{severity} pairs",
        customdata=[f"{p.code_a}|{p.code_b}" for p in pairs],
        marker={
            "size": 9,
            "color": colour,
            "symbol": "diamond",
            "line": {"width": 1.5, "color": theme.COLOURS["paper"].of(mode)},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _curve(
    start: tuple[float, float], end: tuple[float, float], steps: int = 16
) -> list[tuple[float, float]]:
    """A line that bends towards the centre, so that neighbours' lines can be told apart."""
    bend = 0.35
    control = ((start[0] + end[0]) / 2 * bend, (start[1] + end[1]) / 2 * bend)
    points = []
    for i in range(steps + 1):
        t = i / steps
        points.append(
            tuple(
                (1 - t) ** 2 * s + 2 * (1 - t) * t * c + t**2 * e
                for s, c, e in zip(start, control, end, strict=True)
            )
        )
    return points  # type: ignore[return-value]


def _nodes(
    drawn: go.Figure,
    codes: Sequence[str],
    pairs: Sequence[Interaction],
    places: Mapping[str, tuple[float, float]],
    titles: Mapping[str, str],
    mode: Mode,
) -> None:
    """One mark a class in its area's colour; classes in a pair are named, the others only on hover."""
    involved = {code for pair in pairs for code in (pair.code_a, pair.code_b)}
    ordered = sorted(codes)
    drawn.add_scatter(
        x=[places[c][0] for c in ordered],
        y=[places[c][1] for c in ordered],
        mode="markers",
        customdata=ordered,
        text=[f"{titles.get(c, c)} ({c})<br>{area(c)}" for c in ordered],
        hoverinfo="text",
        marker={
            "size": [15 if c in involved else 8 for c in ordered],
            "color": [theme.AREA_COLOURS.get(c[:1], theme.AREA_COLOURS["V"]).of(mode) for c in ordered],
            "opacity": [1.0 if c in involved else 0.55 for c in ordered],
            "line": {"width": 1.5, "color": theme.COLOURS["paper"].of(mode)},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0.8}},
        name="classes",
    )
    for code in ordered:
        x, y = places[code]
        told = titles.get(code, code)
        if code not in involved:
            continue
        side = 1 if x > 0 else -1
        drawn.add_annotation(
            x=x,
            y=y,
            xshift=13 * side,
            text=textwrap.shorten(told, 44, placeholder="…"),
            showarrow=False,
            xanchor="left" if side > 0 else "right",
            font={"size": 12, "color": theme.COLOURS["ink"].of(mode)},
        )
