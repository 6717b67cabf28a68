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
    # The last step, where it comes right after a validation, has no curve of its own.
    history = list({round(row["epoch"], 2): row for row in reversed(history)}.values())[::-1]
    by_title = {"Loss": measures(history, ("loss",)), "Validation": measures(history, _QUALITY)}
    panels = {title: lines for title, lines in by_title.items() if lines}
    if not panels:
        return None
    from plotly.subplots import make_subplots

    chart = make_subplots(rows=1, cols=len(panels), subplot_titles=list(panels), horizontal_spacing=0.12)
    colour = theme.COLOURS[model].of(mode)
    for column, lines in enumerate(panels.values(), 1):
        for number, (name, values) in enumerate(lines.items()):
            chart.add_scatter(
                x=[row["epoch"] for row in history],
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
    chart.update_xaxes(title={"text": "epoch", "standoff": 4}, fixedrange=False)
    chart.update_yaxes(rangemode="normal", fixedrange=False)
    return chart


def measures(history: Sequence[Mapping[str, float]], words: Sequence[str]) -> dict[str, list[float | None]]:
    """The values of each measure whose name holds one of the words; a gap where a row lacks it.

    >>> measures([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4, "validation_prauc": 0.7}], ("prauc",))
    {'validation_prauc': [None, 0.7]}
    """
    names = dict.fromkeys(name for row in history for name in row if any(word in name for word in words))
    return {name: [row.get(name) for row in history] for name in names}


def label(name: str) -> str:
    """
    >>> label("validation_prauc"), label("train_loss")
    ('validation PRAUC', 'train loss')
    """
    words = name.replace("_", " ")
    return words.replace("prauc", "PRAUC").replace("jaccard", "Jaccard").replace("f1", "F1")
