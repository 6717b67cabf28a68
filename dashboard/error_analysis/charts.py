"""What the charts of the error analysis share: colours, symbols, layout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

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


def with_layout(figure: go.Figure, mode: Mode, height: int, **layout: Any) -> go.Figure:
    """The common layout."""
    ink, line, paper = (theme.COLOURS[name].of(mode) for name in ("ink", "line", "paper"))
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"family": theme.FONT, "size": 13, "color": ink},
        hoverlabel={"font": {"family": theme.FONT, "size": 13}},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        dragmode=False,
        clickmode="event+select",
        **layout,
    )
    figure.update_xaxes(gridcolor=line, linecolor=line, zeroline=False, fixedrange=True, automargin=True)
    figure.update_yaxes(gridcolor=line, linecolor=line, zeroline=False, fixedrange=True, automargin=True)
    return figure


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


UNFADED: Final = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}
"""A chosen point does not fade the others."""
