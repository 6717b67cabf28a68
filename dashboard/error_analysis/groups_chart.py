"""A metric by group: one row a group, one point with its interval a model; groups of few cases hollow and faint.

Refuses to know about Streamlit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dashboard.shared import analysis_text as say
from dashboard.shared import theme
from dashboard.shared.chart_style import UNMOVED, dress, mark
from dashboard.shared.theme import Mode
from leader_core.error_analysis import Grouping

if TYPE_CHECKING:
    import plotly.graph_objects as go


def figure(
    grouping: Grouping,
    models: Sequence[str],
    metric: str,
    name: Callable[[str], str],
    mode: Mode = "light",
) -> go.Figure:
    """Points with intervals; each carries its group's name as customdata."""
    import plotly.graph_objects as go

    groups = list(dict.fromkeys(row.group for row in grouping.rows))
    place = {group: i for i, group in enumerate(groups)}
    drawn = go.Figure()
    for number, model in enumerate(models):
        rows = [r for r in grouping.rows if r.model == model and r.scores[metric] is not None]
        if not rows:
            continue
        colour, symbol = mark(model, models, mode)
        found = [r.scores[metric] for r in rows]
        offset = (number - (len(models) - 1) / 2) * -0.26
        drawn.add_scatter(
            x=[e.value for e in found if e],
            y=[place[r.group] - offset for r in rows],
            customdata=[[r.group] for r in rows],
            text=[_told(r.group, model, metric, r, name) for r in rows],
            hoverinfo="text",
            mode="markers",
            name=say.model(model),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [e.high - e.value for e in found if e],
                "arrayminus": [e.value - e.low for e in found if e],
                "color": colour,
                "thickness": 1.6,
                "width": 4,
            },
            marker={
                "symbol": [f"{symbol}-open" if r.few else symbol for r in rows],
                "size": 11,
                "color": colour,
                "line": {"width": 1.5, "color": colour},
            },
            **UNMOVED,
        )
    labels = [
        _label(name(group), next(r.cases for r in grouping.rows if r.group == group)) for group in groups
    ]
    dress(drawn, mode, 70 + 44 * max(1, len(groups)), showlegend=len(models) > 1)
    ink, muted = theme.COLOURS["ink"].of(mode), theme.COLOURS["muted"].of(mode)
    drawn.update_yaxes(
        tickmode="array",
        tickvals=list(place.values()),
        ticktext=labels,
        range=[len(groups) - 0.5, -0.5],
        tickfont={"size": 13, "color": ink},
        showgrid=False,
    )
    drawn.update_xaxes(
        title={"text": say.METRICS[metric], "font": {"color": muted, "size": 13}}, side="bottom"
    )
    return drawn


def _label(text: str, cases: int) -> str:
    short = text if len(text) <= 30 else text[:29] + "…"
    return f"{short}  ({cases:,})"


def _told(group: str, model: str, metric: str, row: object, name: Callable[[str], str]) -> str:
    found = row.scores[metric]  # type: ignore[attr-defined]
    few = "<br>few cases: says little" if row.few else ""  # type: ignore[attr-defined]
    return (
        f"<b>{name(group)}</b><br>{say.model(model)}: {say.METRICS[metric]} {say.estimate(metric, found)}"
        f"<br>{row.cases:,} cases{few}"  # type: ignore[attr-defined]
    )
