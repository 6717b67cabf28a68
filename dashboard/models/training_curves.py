"""Training curves from a manifest's history: loss above, validation below. Refuses to know about Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dashboard.shared import theme
from dashboard.shared.theme import Mode

if TYPE_CHECKING:
    import plotly.graph_objects as go

_AXES: Final = ("epoch", "step", "steps", "evaluation")
_QUALITY: Final = ("prauc", "jaccard", "f1")


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


def figure(history: Sequence[Mapping[str, float]], model: str, mode: Mode = "light") -> go.Figure | None:
    """Loss and validation metrics over training; None where there is nothing to draw."""
    axis, xs, losses, quality = series(history)
    if not xs or not (losses or quality):
        return None
    from plotly.subplots import make_subplots

    titles = [title for title, lines in (("Loss", losses), ("Validation", quality)) if lines]
    drawn = make_subplots(rows=1, cols=len(titles), subplot_titles=titles, horizontal_spacing=0.12)
    colour = theme.COLOURS[model].of(mode)
    for place, lines in enumerate((lines for lines in (losses, quality) if lines), 1):
        for style, (name, values) in zip(
            ("solid", "dash", "dot", "dashdot", "longdash") * 3, lines.items(), strict=False
        ):
            drawn.add_scatter(
                x=xs,
                y=values,
                name=label(name),
                mode="lines+markers",
                connectgaps=True,
                line={"color": colour, "dash": style, "width": 2},
                marker={"size": 5},
                row=1,
                col=place,
            )
    ink, line = theme.COLOURS["ink"].of(mode), theme.COLOURS["line"].of(mode)
    paper = theme.COLOURS["paper"].of(mode)
    drawn.update_layout(
        height=240,
        margin={"l": 44, "r": 4, "t": 26, "b": 0},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"family": theme.FONT, "size": 12, "color": ink},
        legend={"orientation": "h", "y": -0.22, "x": 0},
        hovermode="x unified",
    )
    drawn.update_annotations(font={"size": 13, "color": ink})
    drawn.update_xaxes(title={"text": axis, "standoff": 4}, gridcolor=line, linecolor=line, zeroline=False)
    drawn.update_yaxes(gridcolor=line, linecolor=line, zeroline=False, rangemode="normal")
    return drawn
