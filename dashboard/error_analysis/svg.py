"""Small figures as SVG text, for files that may run nothing: points with intervals, and lines over 0 to 1.

Everything given is escaped. Refuses to know what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.shared.formatting import escape, tag

_WIDTH: Final = 720
_LEFT: Final = 250
_ROW: Final = 24
_SHAPES: Final = ("M0 -6L6 0L0 6L-6 0Z", "M-5 -5H5V5H-5Z", "M0 -6L6 5H-6Z")  # beside the circle


@dataclass(frozen=True, slots=True)
class Point:
    """One figure with its interval."""

    value: float
    low: float
    high: float
    series: int  # which model
    few: bool  # drawn hollow


@dataclass(frozen=True, slots=True)
class Line:
    """One line; a gap where a value is NaN."""

    xs: Sequence[float]
    ys: Sequence[float]
    series: int


def intervals(rows: Sequence[tuple[str, Sequence[Point]]], colours: Sequence[str], alt: str) -> str:
    """One row a group: points with their intervals on one scale, which is written below."""
    every = [p for _, points in rows for p in points]
    if not every:
        return ""
    low, high = min(p.low for p in every), max(p.high for p in every)
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return _LEFT + 10 + (value - low) / span * (_WIDTH - _LEFT - 30)

    parts = []
    for i, (label, points) in enumerate(rows):
        y = _ROW * i + 16
        parts.append(_text(label if len(label) < 36 else label[:35] + "…", _LEFT - 6, y + 4, "end"))
        for point in points:
            own = y + (point.series - (max(p.series for p in points)) / 2) * 8
            colour = colours[point.series % len(colours)]
            parts.append(_path(f"M{at(point.low):.1f} {own:.1f}H{at(point.high):.1f}", colour))
            parts.append(_mark(point, at(point.value), own, colour))
    bottom = _ROW * len(rows) + 14
    ticks = (low, (low + high) / 2, high)
    parts += [_text(f"{value:.2f}", at(value), bottom + 8, "middle") for value in ticks]
    return _svg(parts, bottom + 16, alt)


def lines(found: Sequence[Line], colours: Sequence[str], top: float, across: str, alt: str) -> str:
    """Lines over 0 to 1, up to `top`, with what stands across named below."""
    height = 220

    def point(x: float, y: float) -> str:
        return f"{50 + x * (_WIDTH - 80):.1f} {height - 30 - y / (top or 1) * (height - 50):.1f}"

    parts = [_path(f"M{point(0, 0)}L{point(1, 0)}M{point(0, 0)}L{point(0, top)}", "#8894a0")]
    for line in found:
        known = [(x, y) for x, y in zip(line.xs, line.ys, strict=True) if y == y]
        if known:
            drawn = "M" + "L".join(point(x, y) for x, y in known)
            parts.append(
                _path(drawn, colours[line.series % len(colours)], 2, "" if not line.series else "6 3")
            )
    parts += [_text(f"{x:g}", 50 + x * (_WIDTH - 80), height - 14, "middle") for x in (0.0, 0.5, 1.0)]
    parts += [_text(f"{top:.2g}", 44, 24, "end"), _text("0", 44, height - 27, "end")]
    parts.append(_text(across, _WIDTH / 2, height - 2, "middle"))
    return _svg(parts, height + 4, alt)


def _mark(point: Point, x: float, y: float, colour: str) -> str:
    fill = "#fff" if point.few else colour
    if point.series == 1:
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4.5, fill=fill, stroke=colour)
    shape = _SHAPES[max(0, point.series - 1) % len(_SHAPES)]
    return tag("path", d=shape, transform=f"translate({x:.1f} {y:.1f})", fill=fill, stroke=colour)


def _path(drawn: str, colour: str, width: float = 1.4, dash: str = "") -> str:
    return tag(
        "path", d=drawn, fill="none", stroke=colour, stroke_width=width, stroke_dasharray=dash or "none"
    )


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return tag(
        "text",
        escape(text),
        x=f"{x:.1f}",
        y=f"{y:.1f}",
        text_anchor=anchor,
        font_size=12,
        fill="currentColor",
    )


def _svg(parts: Sequence[str], height: float, alt: str) -> str:
    return tag(
        "svg", *parts, viewBox=f"0 0 {_WIDTH} {height:.0f}", width="100%", role="img", aria_label=alt,
        style="max-width:720px;display:block;font-family:inherit",
    )  # fmt: skip
