"""What charts share: colours and symbols in either mode, the layout, the reliability diagram, and how a page draws them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import streamlit as st

from dashboard.shared import theme
from dashboard.shared.theme import Mode

if TYPE_CHECKING:
    import plotly.graph_objects as go

SYMBOLS: Final = {"teacher": "diamond", "student": "circle"}
_OTHERS: Final = (("accent", "square"), ("major", "triangle-up"), ("good", "cross"), ("moderate", "star"))

SCALES: Final[dict[Mode, tuple[tuple[float, str], ...]]] = {
    "light": ((0.0, "#f3efe4"), (0.5, "#e6a35c"), (1.0, "#9a2b1d")),
    "dark": ((0.0, "#262b31"), (0.5, "#a0602a"), (1.0, "#ff9c7a")),
}
"""From little error to much, in each mode: lightness carries it, so that it survives print and colour blindness."""


UNFADED: Final = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}
"""A chosen point does not fade the others."""


def color_mode() -> Mode:
    """Light or dark, as the page is."""
    return "dark" if st.context.theme.type == "dark" else "light"


def draw(figure: go.Figure, key: str, alt: str, **arguments: Any) -> Any:
    """A chart in its own colours, without a toolbar; `alt` says in words what it shows. Gives Streamlit's event."""
    return st.plotly_chart(
        figure, key=key, alt=alt, theme=None, config={"displayModeBar": False}, **arguments
    )


def model_style(model: str, models: Sequence[str], mode: Mode) -> tuple[str, str]:
    """A model's colour and symbol: its own for teacher and student, else by its position among the others.

    >>> model_style("teacher", ["teacher"], "light")
    ('#6b3fa0', 'diamond')
    """
    if model in SYMBOLS:
        return theme.COLOURS[model].of(mode), SYMBOLS[model]
    others = [m for m in models if m not in SYMBOLS]
    name, symbol = _OTHERS[others.index(model) % len(_OTHERS)] if model in others else _OTHERS[0]
    return theme.COLOURS[name].of(mode), symbol


def with_layout(figure: go.Figure, mode: Mode, height: int, size: int = 13, **layout: Any) -> go.Figure:
    """The common layout with letters of `size`; what is given further takes the place of it."""
    ink, line, paper = (theme.COLOURS[name].of(mode) for name in ("ink", "line", "paper"))
    axis = {"gridcolor": line, "linecolor": line, "zeroline": False, "fixedrange": True, "automargin": True}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"family": theme.FONT, "size": size, "color": ink},
        hoverlabel={"font": {"family": theme.FONT, "size": 13}},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        dragmode=False,
        clickmode="event+select",
    )
    return figure.update_layout(layout)


class ReliabilityLine(NamedTuple):
    """One line of a reliability diagram: a point for each bin that holds anything."""

    name: str
    colour: str
    symbol: str
    counts: Sequence[int]
    predicted: Sequence[float]
    observed: Sequence[float]
    dash: str = "solid"
    customdata: Sequence[str] | None = None


def reliability(
    lines: Sequence[ReliabilityLine], mode: Mode, height: int, unit: str, **layout: Any
) -> go.Figure:
    """Share ordered against mean probability, over the diagonal; a point's area follows its count, of `unit`."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="predicted as observed", hoverinfo="skip",
        line={"color": theme.COLOURS["line-strong"].of(mode), "dash": "dot", "width": 1.5},
    )  # fmt: skip
    for line in lines:
        figure.add_scatter(
            x=list(line.predicted), y=list(line.observed), customdata=line.customdata, mode="lines+markers",
            name=line.name, line={"color": line.colour, "dash": line.dash, "width": 2},
            marker={"symbol": line.symbol, "color": line.colour, "opacity": 1, "size": point_sizes(line.counts),
                    "line": {"width": 2, "color": line.colour}},
            text=[f"{number:,} {unit}" for number in line.counts],
            hovertemplate=f"<b>{line.name}</b><br>predicted %{{x:.2f}}, observed %{{y:.2f}}<br>%{{text}}<extra></extra>",
            **UNFADED,
        )  # fmt: skip
    with_layout(figure, mode, height, **layout)
    title = {"font": {"color": theme.COLOURS["muted"].of(mode), "size": 13}, "standoff": 4}
    figure.update_xaxes(range=[-0.02, 1.02], title={"text": "Mean probability", **title})
    figure.update_yaxes(range=[-0.02, 1.02], title={"text": "Share ordered", **title})
    return figure


def point_sizes(counts: Sequence[int]) -> list[float]:
    """Diameters in pixels whose areas follow the counts, as long as the smallest can still be seen.

    >>> point_sizes([100, 25, 0])
    [17.0, 8.5, 5.0]
    """
    most = max(counts, default=0) or 1
    return [max(5.0, 17.0 * (count / most) ** 0.5) for count in counts]


def shade(value: float, low: float, high: float, mode: Mode) -> str:
    """The colour of a value between the best and the worst.

    >>> shade(0.0, 0.0, 1.0, "light"), shade(1.0, 0.0, 1.0, "light")
    ('#f3efe4', '#9a2b1d')
    """
    at = 0.0 if high <= low else min(1.0, max(0.0, (value - low) / (high - low)))
    scale = SCALES[mode]
    for (start, one), (end, other) in pairwise(scale):
        if at <= end:
            part = (at - start) / (end - start)
            pairs = zip(_parts(one), _parts(other), strict=True)
            return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)
    return scale[-1][1]


def add_squares(
    figure: go.Figure,
    cells: Sequence[tuple[int, int]],
    *,
    texts: Sequence[str],
    hover: Sequence[str],
    customdata: Sequence[str],
    colours: Sequence[str],
    size: int,
    letters: int,
    ink: str = "",
    frame: str = "",
) -> None:
    """Cells (row, column) as filled squares with a text each, which can be chosen (a heat map's cells cannot).

    `ink` and `frame` are colours of the texts and of a line around; by default what reads best, and no line.
    """
    if cells:
        figure.add_scatter(
            x=[column for _, column in cells], y=[row for row, _ in cells], customdata=[[each] for each in customdata],
            mode="markers+text", text=texts, hovertext=hover, hoverinfo="text",
            textfont={"size": letters, "color": [ink or ink_on(colour) for colour in colours]},
            marker={"symbol": "square", "size": size, "color": colours,
                    "line": {"width": 1 if frame else 0, "color": frame or None}},
            **UNFADED,
        )  # fmt: skip


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour.

    >>> ink_on("#ffffff"), ink_on("#9a2b1d")
    ('#16202b', '#ffffff')
    """
    red, green, blue = ((v / 255) ** 2.2 for v in _parts(colour))
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#16202b" if light > 0.22 else "#ffffff"


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
