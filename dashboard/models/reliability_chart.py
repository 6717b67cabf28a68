"""A reliability diagram: what a model said against what was so, before and after calibration. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dashboard.shared import theme
from dashboard.shared.theme import Mode
from leader_core.evaluation.calibration import Bin

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LARGEST: Final = 17.0  # pixels across, of the fullest bin
_SMALLEST: Final = 5.0


def points(bins: Sequence[Bin]) -> tuple[list[float], list[float], list[int]]:
    """Mean probability, share prescribed and count of every bin that holds something.

    >>> points([Bin(2, 0.1, 0.5), Bin(0, 0.0, 0.0)])
    ([0.1], [0.5], [2])
    """
    held = [each for each in bins if each.count]
    return [b.probability for b in held], [b.observed for b in held], [b.count for b in held]


def sizes(counts: Sequence[int]) -> list[float]:
    """Diameters whose areas follow the counts, so far as the smallest stays to be seen.

    >>> sizes([100, 25, 0])
    [17.0, 8.5, 5.0]
    """
    most = max(counts, default=0) or 1
    return [max(_SMALLEST, _LARGEST * (count / most) ** 0.5) for count in counts]


def figure(before: Sequence[Bin], after: Sequence[Bin], model: str, mode: Mode = "light") -> go.Figure | None:
    """Bins as points over the diagonal; without a calibration only `before`. None where there is nothing to draw."""
    if not any(each.count for each in (*before, *after)):
        return None
    import plotly.graph_objects as go

    ink, line = theme.COLOURS["ink"].of(mode), theme.COLOURS["line"].of(mode)
    muted, paper = theme.COLOURS["muted"].of(mode), theme.COLOURS["paper"].of(mode)
    drawn = go.Figure()
    drawn.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="predicted as observed",
        line={"color": muted, "dash": "dot", "width": 1},
        hoverinfo="skip",
    )
    names = (
        ("before calibration", "after calibration") if any(b.count for b in after) else ("as it scores", "")
    )
    looks = (("dash", "circle-open", muted), ("solid", "circle", theme.COLOURS[model].of(mode)))
    if not names[1]:
        looks = (looks[1], looks[0])
    for bins, name, (dash, symbol, colour) in zip((before, after), names, looks, strict=True):
        said, so, counts = points(bins)
        if not counts:
            continue
        drawn.add_scatter(
            x=said,
            y=so,
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
            hovertemplate="said %{x:.2f}, so %{y:.2f}<br>%{customdata:,} scores<extra>" + name + "</extra>",
        )
    drawn.update_layout(
        height=320,
        margin={"l": 48, "r": 8, "t": 8, "b": 0},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        font={"family": theme.FONT, "size": 12, "color": ink},
        legend={"orientation": "h", "y": -0.2, "x": 0},
    )
    axis = {"gridcolor": line, "linecolor": line, "zeroline": False, "range": [-0.02, 1.02]}
    drawn.update_xaxes(title={"text": "probability that it gave", "standoff": 4}, **axis)
    drawn.update_yaxes(title={"text": "share that was prescribed", "standoff": 4}, **axis)
    return drawn
