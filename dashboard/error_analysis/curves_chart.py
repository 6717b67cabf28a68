"""Lines of the error analysis: the cut-off moved from 0 to 1, and what was said against what was so.

Refuses to know about Streamlit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from dashboard.shared import analysis_text as say
from dashboard.shared import theme
from dashboard.shared.chart_style import UNMOVED, dress, mark
from dashboard.shared.theme import Mode
from leader_core.error_analysis import Reliability, Sweep

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PANELS: Final = ("jaccard", "f1", "medications", "ddi_rate")


def sweeps(
    found: Mapping[str, Sweep],
    own: Mapping[str, float],
    real: Mapping[str, float | None],
    cut: float | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """Four panels over the cut-off; each point carries its cut-off as customdata.

    Args:
        found: model -> its sweep.
        own: model -> the cut-off that it is served with.
        real: "medications" and "ddi_rate" of what was really prescribed.
        cut: the cut-off that is looked at.
        mode: light or dark.
    """
    from plotly.subplots import make_subplots

    drawn = make_subplots(
        rows=2,
        cols=2,
        subplot_titles=[say.METRICS[n] for n in _PANELS],
        horizontal_spacing=0.09,
        vertical_spacing=0.17,
    )
    muted = theme.COLOURS["muted"].of(mode)
    for place, name in enumerate(_PANELS):
        row, col = place // 2 + 1, place % 2 + 1
        for model, one in found.items():
            colour, symbol = mark(model, list(found), mode)
            values = getattr(one, name)
            at = int(np.abs(one.cuts - own[model]).argmin())
            drawn.add_scatter(
                x=one.cuts, y=values, customdata=[[float(c)] for c in one.cuts], mode="lines+markers",
                name=say.model(model), legendgroup=model, showlegend=place == 0,
                line={"color": colour, "width": 2}, marker={"size": 5, "color": colour, "opacity": 0.01},
                hovertemplate=f"{say.model(model)}: %{{y:.3f}} at %{{x:.2f}}<extra></extra>", row=row, col=col,
            )  # fmt: skip
            drawn.add_scatter(
                x=[one.cuts[at]], y=[values[at]], customdata=[[float(one.cuts[at])]], mode="markers",
                name=f"{say.model(model)}'s own cut-off", legendgroup=model, showlegend=False,
                marker={"symbol": symbol, "size": 12, "color": colour},
                hovertemplate=f"{say.model(model)}'s own cut-off: %{{y:.3f}} at %{{x:.2f}}<extra></extra>",
                row=row, col=col, **UNMOVED,
            )  # fmt: skip
        if real.get(name) is not None:
            drawn.add_hline(y=real[name], line={"color": muted, "dash": "dot", "width": 1.5}, row=row, col=col,
                            annotation={"text": "prescribed", "font": {"size": 11, "color": muted}})  # fmt: skip
        if cut is not None:
            drawn.add_vline(x=cut, line={"color": muted, "width": 1}, row=row, col=col)
    dress(drawn, mode, 520, showlegend=len(found) > 1)
    drawn.update_layout(margin={"l": 8, "r": 8, "t": 52, "b": 8}, legend={"y": 1.06})
    drawn.update_annotations(font={"size": 13, "color": theme.COLOURS["ink"].of(mode)})
    drawn.update_xaxes(range=[0, 1])
    drawn.update_yaxes(rangemode="tozero")
    return drawn


def reliability(
    found: Mapping[str, Reliability], place: int | None = None, mode: Mode = "light"
) -> go.Figure:
    """Share prescribed against mean probability, a point a bin; each carries "model|bin" as customdata.

    Args:
        found: model -> its bins.
        place: one class, or None for all of them together.
        mode: light or dark.
    """
    import plotly.graph_objects as go

    drawn = go.Figure()
    drawn.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="predicted as observed", hoverinfo="skip",
        line={"color": theme.COLOURS["line-strong"].of(mode), "dash": "dash", "width": 1.5},
    )  # fmt: skip
    for model, one in found.items():
        counts, said, observed = one.of(place)
        used = np.flatnonzero(counts)
        colour, symbol = mark(model, list(found), mode)
        most = max(1, int(counts.max(initial=1)))
        drawn.add_scatter(
            x=said[used], y=observed[used], customdata=[[f"{model}|{i}"] for i in used.tolist()],
            mode="lines+markers", name=say.model(model), line={"color": colour, "width": 1.5},
            marker={"symbol": symbol, "color": colour, "opacity": 1, "size": (8 + 10 * np.sqrt(counts[used] / most)).tolist()},
            text=[f"{counts[i]:,} pairs of case and class" for i in used],
            hovertemplate=f"<b>{say.model(model)}</b><br>said %{{x:.2f}}, so %{{y:.2f}}<br>%{{text}}<extra></extra>",
            **UNMOVED,
        )  # fmt: skip
    dress(drawn, mode, 460)
    muted = theme.COLOURS["muted"].of(mode)
    drawn.update_layout(margin={"l": 8, "r": 8, "t": 36, "b": 8})
    drawn.update_xaxes(
        range=[-0.02, 1.02], title={"text": "Mean probability", "font": {"color": muted, "size": 13}}
    )
    drawn.update_yaxes(
        range=[-0.02, 1.02], title={"text": "Share prescribed", "font": {"color": muted, "size": 13}}
    )
    return drawn
