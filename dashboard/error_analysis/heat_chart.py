"""Two fields against each other as filled squares with the figure written in them; few cases small and framed.

Refuses to know about Streamlit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from dashboard.shared import analysis_text as say
from dashboard.shared import theme
from dashboard.shared.chart_style import UNMOVED, dress, ink_on, shade
from dashboard.shared.theme import Mode
from leader_core.error_analysis import FEWEST, HeatMap

if TYPE_CHECKING:
    import plotly.graph_objects as go

CELL: Final = (84, 40)  # pixels
_LEFT: Final = 190
_TOP: Final = 64
_LABEL: Final = 24
_WORSE: Final = {"medications": 1, "ddi_rate": 1}  # more is stronger; elsewhere less is


def size(rows: int, columns: int) -> tuple[int, int]:
    """Width and height in pixels."""
    return _LEFT + columns * CELL[0] + 12, _TOP + rows * CELL[1] + 12


def figure(found: HeatMap, name: Callable[[str, str], str], mode: Mode = "light") -> go.Figure:
    """The map; each cell with a case carries "row|column" (places of the values) as customdata.

    Args:
        found: the figures.
        name: (field, value) -> as a person reads it.
        mode: light or dark.
    """
    import plotly.graph_objects as go

    drawn = go.Figure()
    known = found.values[(found.cases >= FEWEST) & ~np.isnan(found.values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    for few in (False, True):
        _cells(drawn, found, name, few, (low, high), mode)
    width, height = size(len(found.rows.values), len(found.columns.values))
    dress(drawn, mode, height, width=width, showlegend=False)
    drawn.update_layout(margin={"l": _LEFT, "r": 8, "t": _TOP, "b": 8})
    ink = theme.COLOURS["ink"].of(mode)
    for axis, column, limits in (
        (drawn.update_xaxes, found.columns, [-0.5, len(found.columns.values) - 0.5]),
        (drawn.update_yaxes, found.rows, [len(found.rows.values) - 0.5, -0.5]),
    ):
        axis(
            tickmode="array",
            tickvals=list(range(len(column.values))),
            ticktext=[
                _short(name(column.name, v), 11 if column is found.columns else _LABEL) for v in column.values
            ],
            tickfont={"size": 12, "color": ink},
            range=limits,
            showgrid=False,
            automargin=False,
            ticklen=0,
        )
    drawn.update_xaxes(side="top")
    return drawn


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _cells(
    drawn: go.Figure,
    found: HeatMap,
    name: Callable[[str, str], str],
    few: bool,
    limits: tuple[float, float],
    mode: Mode,
) -> None:
    """Cells of many cases, or of few, which are grey with the figure in small."""
    places = [
        (r, c) for r, c in zip(*np.nonzero(found.cases), strict=True) if (found.cases[r, c] < FEWEST) == few
    ]
    if not places:
        return
    grey = theme.COLOURS["surface"].of(mode)
    turned = found.metric not in _WORSE

    def colour(value: float) -> str:
        if few or np.isnan(value):
            return grey
        low, high = limits
        return shade(low + high - value if turned else value, low, high, mode)

    values = [float(found.values[r, c]) for r, c in places]
    colours = [colour(v) for v in values]
    muted = theme.COLOURS["muted"].of(mode)
    drawn.add_scatter(
        x=[int(c) for _, c in places],
        y=[int(r) for r, _ in places],
        customdata=[[f"{r}|{c}"] for r, c in places],
        mode="markers+text",
        text=[say.figure(found.metric, v) for v in values],
        textfont={"size": 11 if few else 13, "color": [muted if few else ink_on(c) for c in colours]},
        hovertext=[
            f"<b>{name(found.rows.name, found.rows.values[r])}</b><br>"
            f"{name(found.columns.name, found.columns.values[c])}<br>"
            f"{say.METRICS[found.metric]} {say.figure(found.metric, float(found.values[r, c]))}, "
            f"{found.cases[r, c]:,} cases{'<br>few cases: says little' if few else ''}"
            for r, c in places
        ],
        hoverinfo="text",
        name="few cases" if few else "cases",
        marker={
            "symbol": "square",
            "size": 34 if not few else 26,
            "color": colours,
            "line": {"width": 1 if few else 0, "color": theme.COLOURS["line-strong"].of(mode)},
        },
        **UNMOVED,
    )
