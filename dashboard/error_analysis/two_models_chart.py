"""Cases by the Jaccard of two models, in tenths: above the diagonal one is ahead, below it the other.

Refuses to know about Streamlit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dashboard.shared import analysis_text as say
from dashboard.shared import theme
from dashboard.shared.chart_style import UNMOVED, dress, ink_on, shade
from dashboard.shared.theme import Mode

if TYPE_CHECKING:
    import plotly.graph_objects as go


def figure(grid: np.ndarray, first: str, second: str, mode: Mode = "light") -> go.Figure:
    """`grid[i, j]`: cases with the first's Jaccard in tenth i, the second's in tenth j; "i|j" as customdata."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    size = len(grid)
    line = theme.COLOURS["line-strong"].of(mode)
    drawn.add_shape(type="line", x0=-0.5, y0=-0.5, x1=size - 0.5, y1=size - 0.5,
                    line={"color": line, "dash": "dash", "width": 1.5}, layer="below")  # fmt: skip
    cells = [(i, j) for i, j in zip(*np.nonzero(grid), strict=True)]
    most = float(np.sqrt(grid.max(initial=1)))
    colours = [shade(float(np.sqrt(grid[i, j])), 0.0, most, mode) for i, j in cells]
    drawn.add_scatter(
        x=[int(j) for _, j in cells],
        y=[int(i) for i, _ in cells],
        customdata=[[f"{i}|{j}"] for i, j in cells],
        mode="markers+text",
        text=[f"{grid[i, j]:,}" if grid[i, j] < 10_000 else f"{grid[i, j] / 1000:.0f}k" for i, j in cells],
        textfont={"size": 11, "color": [ink_on(c) for c in colours]},
        hovertext=[
            f"{say.model(first)} {i / size:.1f} to {(i + 1) / size:.1f}<br>"
            f"{say.model(second)} {j / size:.1f} to {(j + 1) / size:.1f}<br>{grid[i, j]:,} cases"
            for i, j in cells
        ],
        hoverinfo="text",
        marker={"symbol": "square", "size": 36, "color": colours, "line": {"width": 0}},
        **UNMOVED,
    )
    dress(drawn, mode, 470, width=520, showlegend=False)
    muted = theme.COLOURS["muted"].of(mode)
    ticks = {"tickmode": "array", "tickvals": [i - 0.5 for i in range(0, size + 1, 2)],
             "ticktext": [f"{i / size:.1f}" for i in range(0, size + 1, 2)], "showgrid": False,
             "range": [-0.5, size - 0.5]}  # fmt: skip
    drawn.update_xaxes(
        title={"text": f"{say.model(second)}'s Jaccard", "font": {"color": muted, "size": 13}}, **ticks
    )
    drawn.update_yaxes(
        title={"text": f"{say.model(first)}'s Jaccard", "font": {"color": muted, "size": 13}}, **ticks
    )
    return drawn
