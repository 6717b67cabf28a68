"""The interaction graph: classes in one column by therapeutic area, pairs as arcs beside them by severity.

A class keeps its place whichever set is shown, because places follow from all sets together. Names stand in a margin
of fixed width, so that they are whole at any width of the page. Refuses to know about Streamlit.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dashboard.shared import theme, wording
from dashboard.shared.comparison import area
from dashboard.shared.theme import Mode
from leader_core import Interaction

if TYPE_CHECKING:
    import plotly.graph_objects as go

LINE: Final = 31  # pixels a class takes; room for a name of two lines
_AREA_GAP: Final = 0.45  # of a line, between two therapeutic areas
_NAMES: Final = 226  # pixels of margin for the names
_WIDTH_OF_NAME: Final = 35  # characters a line
_STEPS: Final = 28


def positions(codes: Sequence[str]) -> dict[str, float]:
    """A height for each class from 0 downwards, in ATC's order, with a gap between two therapeutic areas.

    >>> positions(["N02A", "A02B", "A02A"])
    {'A02A': 0.0, 'A02B': -1.0, 'N02A': -2.45}
    """
    places: dict[str, float] = {}
    height, before = 0.0, ""
    for code in sorted(set(codes)):
        height += _AREA_GAP if before and code[:1] != before else 0.0
        places[code] = -round(height, 2) + 0.0
        height += 1.0
        before = code[:1]
    return places


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

    places = positions([*everything, *codes])
    lowest = min(places.values(), default=0.0)
    drawn = go.Figure()
    marked = [p for p in pairs if set(chosen) <= {p.code_a, p.code_b}] if chosen else list(pairs)
    rest = [p for p in pairs if p not in marked]
    if rest:
        _edges(drawn, rest, places, titles, mode, faint=True)
    _edges(drawn, marked, places, titles, mode, faint=False)
    _nodes(drawn, codes, pairs, places, titles, mode, chosen)
    paper = theme.COLOURS["paper"].of(mode)
    drawn.update_layout(
        height=int(LINE * (1.0 - lowest)) + 24,
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
    return drawn


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
    drawn: go.Figure,
    pairs: Sequence[Interaction],
    places: Mapping[str, float],
    titles: Mapping[str, str],
    mode: Mode,
    *,
    faint: bool,
) -> None:
    """Arcs severity by severity, the most severe on top, and a mark on each that can be chosen."""
    span = max(places.values()) - min(places.values()) if places else 1.0
    for severity in reversed(list(theme.EDGE_STYLES)):
        among = [p for p in pairs if p.severity == severity]
        if not among:
            continue
        curves = [arc(places[p.code_a], places[p.code_b], span) for p in among]
        xs: list[float | None] = []
        ys: list[float | None] = []
        for curve in curves:
            xs += [x for x, _ in curve] + [None]
            ys += [y for _, y in curve] + [None]
        dash, width = theme.EDGE_STYLES[severity]
        colour = theme.COLOURS[severity].of(mode)
        drawn.add_scatter(
            x=xs,
            y=ys,
            mode="lines",
            opacity=0.14 if faint else 0.75,
            line={"color": colour, "width": width * 0.75, "dash": dash},
            hoverinfo="skip",
            name=severity,
        )
        middles = [curve[_STEPS // 2] for curve in curves]
        drawn.add_scatter(
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
    drawn: go.Figure,
    codes: Sequence[str],
    pairs: Sequence[Interaction],
    places: Mapping[str, float],
    titles: Mapping[str, str],
    mode: Mode,
    chosen: Sequence[str],
) -> None:
    """One mark a class in its area's colour with its name; a class of another set keeps an empty place."""
    involved = {code for pair in pairs for code in (pair.code_a, pair.code_b)}
    ordered = sorted(codes)
    paper = theme.COLOURS["paper"].of(mode)
    drawn.add_scatter(
        x=[0.0] * len(ordered),
        y=[places[c] for c in ordered],
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
        drawn.add_annotation(
            x=0,
            y=places[code],
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
