"""Charts of a model: its training curves, and its reliability before and after calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dashboard.shared import theme
from dashboard.shared.theme import Mode
from leader_core.evaluation.calibration import Bin

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LARGEST: Final = 17.0  # pixels across, of the fullest bin
_SMALLEST: Final = 5.0
_AXES: Final = ("epoch", "step", "steps", "evaluation")
_QUALITY: Final = ("prauc", "jaccard", "f1")
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")


def reliability(
    before: Sequence[Bin], after: Sequence[Bin], model: str, mode: Mode = "light"
) -> go.Figure | None:
    """Bins as points over the diagonal; without a calibration only `before`. None where there is nothing to draw."""
    if not any(each.count for each in (*before, *after)):
        return None
    import plotly.graph_objects as go

    muted, own = theme.COLOURS["muted"].of(mode), theme.COLOURS[model].of(mode)
    chart = go.Figure()
    chart.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="predicted as observed",
        line={"color": muted, "dash": "dot", "width": 1},
        hoverinfo="skip",
    )
    if any(each.count for each in after):
        _bins(chart, before, "before calibration", "dash", "circle-open", muted)
        _bins(chart, after, "after calibration", "solid", "circle", own)
    else:
        _bins(chart, before, "as it scores", "solid", "circle", own)
    _layout(chart, mode, height=320, margin={"l": 48, "r": 8, "t": 8, "b": 0}, legend_y=-0.2)
    line = theme.COLOURS["line"].of(mode)
    axis = {"gridcolor": line, "linecolor": line, "zeroline": False, "range": [-0.02, 1.02]}
    chart.update_xaxes(title={"text": "probability that it gave", "standoff": 4}, **axis)
    chart.update_yaxes(title={"text": "share that was ordered", "standoff": 4}, **axis)
    return chart


def _bins(chart: go.Figure, bins: Sequence[Bin], name: str, dash: str, symbol: str, colour: str) -> None:
    filled = [each for each in bins if each.count]
    if not filled:
        return
    counts = [each.count for each in filled]
    chart.add_scatter(
        x=[each.probability for each in filled],
        y=[each.observed for each in filled],
        name=name,
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 2},
        marker={
            "size": sizes(counts),
            "symbol": symbol,
            "color": colour,
            "line": {"width": 2, "color": colour},
        },
        customdata=counts,
        hovertemplate="predicted %{x:.2f}, observed %{y:.2f}<br>%{customdata:,} scores<extra>"
        + name
        + "</extra>",
    )


def sizes(counts: Sequence[int]) -> list[float]:
    """Diameters whose areas follow the counts, as long as the smallest can still be seen.

    >>> sizes([100, 25, 0])
    [17.0, 8.5, 5.0]
    """
    most = max(counts, default=0) or 1
    return [max(_SMALLEST, _LARGEST * (count / most) ** 0.5) for count in counts]


def training_curves(
    history: Sequence[Mapping[str, float]], model: str, mode: Mode = "light"
) -> go.Figure | None:
    """Loss and validation metrics over training; None where there is nothing to draw."""
    axis, xs, losses, quality = series(history)
    if not xs or not (losses or quality):
        return None
    from plotly.subplots import make_subplots

    panels = [(title, lines) for title, lines in (("Loss", losses), ("Validation", quality)) if lines]
    chart = make_subplots(
        rows=1, cols=len(panels), subplot_titles=[title for title, _ in panels], horizontal_spacing=0.12
    )
    colour = theme.COLOURS[model].of(mode)
    for column, (_, lines) in enumerate(panels, 1):
        for number, (name, values) in enumerate(lines.items()):
            chart.add_scatter(
                x=xs,
                y=values,
                name=label(name),
                mode="lines+markers",
                connectgaps=True,
                line={"color": colour, "dash": _DASHES[number % len(_DASHES)], "width": 2},
                marker={"size": 5},
                row=1,
                col=column,
            )
    _layout(chart, mode, height=240, margin={"l": 44, "r": 4, "t": 26, "b": 0}, legend_y=-0.22)
    chart.update_layout(hovermode="x unified")
    ink, line = theme.COLOURS["ink"].of(mode), theme.COLOURS["line"].of(mode)
    chart.update_annotations(font={"size": 13, "color": ink})
    chart.update_xaxes(title={"text": axis, "standoff": 4}, gridcolor=line, linecolor=line, zeroline=False)
    chart.update_yaxes(gridcolor=line, linecolor=line, zeroline=False, rangemode="normal")
    return chart


def series(
    history: Sequence[Mapping[str, float]],
) -> tuple[str, list[float], dict[str, list[float | None]], dict[str, list[float | None]]]:
    """The axis' name and values, then losses and validation metrics by name, a gap where a row lacks one.

    >>> series([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4, "validation_prauc": 0.7}])
    ('epoch', [1.0, 2.0], {'loss': [0.5, 0.4]}, {'validation_prauc': [None, 0.7]})
    """
    rows = [row for row in history if isinstance(row, Mapping)]
    axis = next((name for name in _AXES if rows and all(name in row for row in rows)), "")
    xs = [float(row[axis]) if axis else float(i) for i, row in enumerate(rows, 1)]
    names = dict.fromkeys(name for row in rows for name in row)

    def column(name: str) -> list[float | None]:
        return [float(row[name]) if isinstance(row.get(name), int | float) else None for row in rows]

    losses = {name: column(name) for name in names if "loss" in name}
    quality = {name: column(name) for name in names if any(part in name for part in _QUALITY)}
    return axis or "row", xs, losses, quality


def label(name: str) -> str:
    """
    >>> label("validation_prauc"), label("train_loss")
    ('validation PRAUC', 'train loss')
    """
    words = name.replace("_", " ")
    return words.replace("prauc", "PRAUC").replace("jaccard", "Jaccard").replace("f1", "F1")


def _layout(chart: go.Figure, mode: Mode, *, height: int, margin: dict[str, Any], legend_y: float) -> None:
    paper = theme.COLOURS["paper"].of(mode)
    chart.update_layout(
        height=height,
        margin=margin,
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"family": theme.FONT, "size": 12, "color": theme.COLOURS["ink"].of(mode)},
        legend={"orientation": "h", "y": legend_y, "x": 0},
    )
