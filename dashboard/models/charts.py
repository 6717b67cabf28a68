"""Charts of a model: its training curves, and its reliability before and after calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dashboard.shared import charts, theme
from dashboard.shared.charts import ReliabilityLine, with_layout
from dashboard.shared.theme import Mode
from leader_core.evaluation.calibration import Bin

if TYPE_CHECKING:
    import plotly.graph_objects as go

_AXES: Final = ("epoch", "step", "steps", "evaluation")
_QUALITY: Final = ("prauc", "jaccard", "f1")
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")


def reliability(before: Sequence[Bin], after: Sequence[Bin], model: str, mode: Mode) -> go.Figure | None:
    """Bins as points over the diagonal; without a calibration only `before`. None where there is nothing to draw."""
    muted, own = theme.COLOURS["muted"].of(mode), theme.COLOURS[model].of(mode)
    lines = [_line("after calibration", after, own, "circle")] if any(each.count for each in after) else []
    lines = (
        [_line("before calibration", before, muted, "circle-open", "dash"), *lines]
        if lines
        else [_line("as it scores", before, own, "circle")]
    )
    if not any(line.counts for line in lines):
        return None
    legend = {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}
    return charts.reliability(
        lines, mode, 320, "scores", margin={"l": 48, "r": 8, "t": 8, "b": 0}, legend=legend
    )


def _line(name: str, bins: Sequence[Bin], colour: str, symbol: str, dash: str = "solid") -> ReliabilityLine:
    filled = [each for each in bins if each.count]
    return ReliabilityLine(
        name, colour, symbol, [each.count for each in filled], [each.probability for each in filled],
        [each.observed for each in filled], dash,
    )  # fmt: skip


def training_curves(history: Sequence[Mapping[str, float]], model: str, mode: Mode) -> go.Figure | None:
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
    with_layout(
        chart, mode, 240, size=12, margin={"l": 44, "r": 4, "t": 26, "b": 0}, hovermode="x unified", dragmode="zoom",
        legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0},
    )  # fmt: skip
    chart.update_annotations(font={"size": 13, "color": theme.COLOURS["ink"].of(mode)})
    chart.update_xaxes(title={"text": axis, "standoff": 4}, fixedrange=False)
    chart.update_yaxes(rangemode="normal", fixedrange=False)
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
