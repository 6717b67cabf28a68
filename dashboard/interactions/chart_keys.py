"""What lines, cells and colours of the interaction charts mean, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from dashboard.shared import comparison, theme, wording
from dashboard.shared.templates import macro
from leader_core import SEVERITIES

_TEMPLATE = "interactions/chart_keys.html"
_CSS_LINES = {"solid": "solid", "dash": "dashed", "dashdot": "dashed", "dot": "dotted"}


def severity_key() -> Markup:
    """The lines of the graph: their style says what their colour says."""
    lines = []
    for level in SEVERITIES[:-1]:
        dash, width = theme.EDGE_STYLES[level]
        style = f"border-top:{max(1, round(width * 0.75))}px {_CSS_LINES[dash]} var(--{level})"
        lines.append((level, style))
    return macro("severity_key", _TEMPLATE)(lines)


def severity_levels(levels: Sequence[str] | None = None) -> Markup:
    """The cells of the matrix: the more severe, the fuller the cell."""
    rows = []
    for level in levels or SEVERITIES[:-1]:
        size = f"{round(12 * theme.CELL_SIZES[level])}px"
        style = f"background:{theme.CELL_COLOURS[level].css};width:{size};height:{size};border-radius:0"
        rows.append((wording.SEVERITY_LABELS[level], style))
    return macro("swatches", _TEMPLATE)(rows)


def area_key(codes: Iterable[str]) -> Markup:
    """The therapeutic areas of these classes, each with its colour in the graph."""
    rows = [
        (comparison.area(letter), f"background:{theme.AREA_COLOURS.get(letter, theme.AREA_COLOURS['V']).css}")
        for letter in sorted({code[:1] for code in codes})
    ]
    return macro("swatches", _TEMPLATE)(rows)
