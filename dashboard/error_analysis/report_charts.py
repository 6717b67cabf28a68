"""Small charts as SVG for the report, which may run nothing: points with intervals, and lines over 0 to 1.

Positions are computed here; `report_chart.html` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from dashboard.error_analysis.chart_style import model_style
from dashboard.shared.templates import render

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
