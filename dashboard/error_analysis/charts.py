"""Charts of the error analysis: what they share on screen, and small ones as SVG for the report, which may run nothing.

Positions of the small ones are computed here; `report_chart.html` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from dashboard.shared import theme
from dashboard.shared.templates import render
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

# For the report

_WIDTH: Final = 720
_LEFT: Final = 250
_ROW: Final = 24
_SHAPES: Final = ("M0 -6L6 0L0 6L-6 0Z", "M-5 -5H5V5H-5Z", "M0 -6L6 5H-6Z")  # the second model's is a circle
_AXIS: Final = "#8894a0"


@dataclass(frozen=True, slots=True)
class IntervalPoint:
    """A number with its interval."""

    value: float
    low: float
    high: float
    series: int  # which model
    few: bool  # drawn hollow


def interval_chart(rows: Mapping[str, Sequence[IntervalPoint]], models: Sequence[str], alt: str) -> Markup:
    """One row per group: points with their intervals on one scale, which stands below."""
    every = [point for points in rows.values() for point in points]
    if not every:
        return Markup()
    colours = _colours(models)
    low, high = min(point.low for point in every), max(point.high for point in every)
    span = (high - low) or 1.0

    def across(value: float) -> float:
        return _LEFT + 10 + (value - low) / span * (_WIDTH - _LEFT - 30)

    texts: list[tuple[float, float, str, str]] = []
    paths, points = [], []
    for i, (label, own) in enumerate(rows.items()):
        y = _ROW * i + 16
        texts.append((_LEFT - 6, y + 4, "end", label if len(label) < 36 else label[:35] + "…"))
        middle = max((point.series for point in own), default=0) / 2
        for point in own:
            at, colour = y + (point.series - middle) * 8, colours[point.series]
            paths.append((f"M{across(point.low):.1f} {at:.1f}H{across(point.high):.1f}", colour, 1.4, "none"))
            shape = "" if point.series == 1 else _SHAPES[max(0, point.series - 1) % len(_SHAPES)]
            points.append((across(point.value), at, shape, "#fff" if point.few else colour, colour))
    bottom = _ROW * len(rows) + 14
    texts += [(across(v), bottom + 8, "middle", f"{v:.2f}") for v in (low, (low + high) / 2, high)]
    return _svg(bottom + 16, alt, paths, points, texts)


def line_chart(
    lines: Sequence[tuple[Sequence[float], Sequence[float]]],
    models: Sequence[str],
    top: float,
    across: str,
    alt: str,
) -> Markup:
    """A line (xs, ys) a model over 0 to 1, up to `top`; the first is solid. `across` names the horizontal axis.

    A value that is NaN is left out.
    """
    height, colours = 220, _colours(models)

    def at(x: float, y: float) -> str:
        return f"{50 + x * (_WIDTH - 80):.1f} {height - 30 - y / (top or 1) * (height - 50):.1f}"

    paths = [(f"M{at(0, 0)}L{at(1, 0)}M{at(0, 0)}L{at(0, top)}", _AXIS, 1.4, "none")]
    for series, (xs, ys) in enumerate(lines):
        known = [at(x, y) for x, y in zip(xs, ys, strict=True) if y == y]
        if known:
            paths.append(("M" + "L".join(known), colours[series], 2.0, "6 3" if series else "none"))
    texts = [(50 + x * (_WIDTH - 80), height - 14, "middle", f"{x:g}") for x in (0.0, 0.5, 1.0)]
    texts += [
        (44, 24, "end", f"{top:.2g}"),
        (44, height - 27, "end", "0"),
        (_WIDTH / 2, height - 2, "middle", across),
    ]
    return _svg(height + 4, alt, paths, [], texts)


def _colours(models: Sequence[str]) -> list[str]:
    return [model_style(name, models, "light")[0] for name in models]


def _svg(
    height: float,
    alt: str,
    paths: Sequence[tuple[str, str, float, str]],
    points: Sequence[tuple[float, float, str, str, str]],
    texts: Sequence[tuple[float, float, str, str]],
) -> Markup:
    """Paths (d, colour, width, dashes), points (x, y, shape or "" for a circle, fill, colour), texts (x, y, anchor, text)."""
    return render(
        "error_analysis/report_chart.html",
        width=_WIDTH, height=height, alt=alt, paths=paths, points=points, texts=texts,
    )  # fmt: skip
