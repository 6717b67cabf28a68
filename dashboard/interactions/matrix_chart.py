"""The whole vocabulary as a matrix: classes by classes, grouped by therapeutic area, severity by colour and shape.

One family at a time: graded pairs or the statistical signal. Refuses to know about Streamlit and patients.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from dashboard.shared import theme, wording
from dashboard.shared.comparison import area
from dashboard.shared.theme import Mode
from leader_core import Interaction

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ACROSS: Final = 1000  # pixels that the cells may take
_CELL: Final = (7.5, 22.0)  # pixels, least and most
_LABELS: Final = 46  # pixels for codes
_HEAD: Final = 24


def cell_size(classes: int) -> float:
    """Pixels of one cell.

    >>> cell_size(20), cell_size(125), cell_size(400)
    (22.0, 8.0, 7.5)
    """
    return max(_CELL[0], min(_CELL[1], _ACROSS / max(classes, 1)))


def figure(
    columns: Sequence[str],
    rows: Sequence[str],
    pairs: Sequence[Interaction],
    *,
    titles: Mapping[str, str],
    marked: Collection[str] = (),
    chosen: tuple[str, str] | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """The matrix of `rows` against `columns`; each cell with a pair is a point that carries "A|B".

    `marked` classes (those of a patient's set) stand in bold; `chosen` is framed.
    """
    import plotly.graph_objects as go

    across = {code: i for i, code in enumerate(sorted(columns))}
    down = {code: i for i, code in enumerate(sorted(rows))}
    size = cell_size(len(across))
    drawn = go.Figure()
    for severity in theme.EDGE_STYLES:
        _cells(
            drawn, [p for p in pairs if p.severity == severity], severity, across, down, titles, size, mode
        )
    if chosen is not None:
        _frame(drawn, chosen, across, down, mode)
    paper, ink = theme.COLOURS["paper"].of(mode), theme.COLOURS["ink"].of(mode)
    _areas(drawn, across, down, mode)
    font = {"family": theme.MONO, "size": min(11.0, max(7.0, size - 0.5)), "color": ink}
    drawn.update_layout(
        width=int(size * len(across)) + _LABELS + 8,
        height=int(size * len(down)) + _HEAD + _LABELS - 6,
        margin={"l": _LABELS, "r": 8, "t": _HEAD + _LABELS - 10, "b": 4},
        paper_bgcolor=paper,
        plot_bgcolor=paper,
        showlegend=False,
        font={"family": theme.FONT, "size": 12, "color": ink},
        hoverlabel={"font": {"family": theme.FONT, "size": 13}},
        xaxis=_axis(across, marked, font, [-0.5, len(across) - 0.5]) | {"side": "top", "tickangle": -90},
        yaxis=_axis(down, marked, font, [len(down) - 0.5, -0.5]),
        dragmode=False,
        clickmode="event+select",
    )
    return drawn


def _axis(
    places: Mapping[str, int], marked: Collection[str], font: Mapping[str, object], limits: list[float]
) -> dict[str, object]:
    return {
        "tickmode": "array",
        "tickvals": list(places.values()),
        "ticktext": [f"<b>{code}</b>" if code in marked else code for code in places],
        "tickfont": font,
        "range": limits,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "ticklen": 0,
    }


def _cells(
    drawn: go.Figure,
    pairs: Sequence[Interaction],
    severity: str,
    across: Mapping[str, int],
    down: Mapping[str, int],
    titles: Mapping[str, str],
    size: float,
    mode: Mode,
) -> None:
    """Both halves of the matrix, as far as rows and columns go."""
    xs, ys, texts, data = [], [], [], []
    for pair in pairs:
        for one, other in ((pair.code_a, pair.code_b), (pair.code_b, pair.code_a)):
            if one in down and other in across:
                xs.append(across[other])
                ys.append(down[one])
                texts.append(
                    f"<b>{wording.SEVERITY_LABELS[severity]}</b><br>{titles.get(one, one)} ({one})<br>"
                    f"{titles.get(other, other)} ({other})"
                )
                data.append(f"{pair.code_a}|{pair.code_b}")
    if not xs:
        return
    drawn.add_scatter(
        x=xs,
        y=ys,
        mode="markers",
        text=texts,
        hoverinfo="text",
        customdata=data,
        name=severity,
        marker={
            "symbol": "square",
            "size": size * theme.CELL_SIZES[severity],
            "color": theme.CELL_COLOURS[severity].of(mode),
            "opacity": 1.0,
            "line": {"width": 0},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _frame(
    drawn: go.Figure, chosen: tuple[str, str], across: Mapping[str, int], down: Mapping[str, int], mode: Mode
) -> None:
    colour = theme.COLOURS["ink"].of(mode)
    for one, other in (chosen, chosen[::-1]):
        if one in down and other in across:
            x, y = across[other], down[one]
            drawn.add_shape(
                type="rect", x0=x - 0.75, x1=x + 0.75, y0=y - 0.75, y1=y + 0.75,
                line={"color": colour, "width": 2},
            )  # fmt: skip


def _areas(drawn: go.Figure, across: Mapping[str, int], down: Mapping[str, int], mode: Mode) -> None:
    """Lines between therapeutic areas, the areas' names on top, and the diagonal where a class meets itself."""
    line = {"color": theme.COLOURS["line"].of(mode), "width": 1}
    width, height = len(across), len(down)
    for letter, codes in groupby(across, key=lambda code: code[:1]):
        own = [across[code] for code in codes]
        edge = own[-1] + 0.5
        drawn.add_shape(type="line", x0=edge, x1=edge, y0=-0.5, y1=height - 0.5, line=line, layer="below")
        colour = theme.AREA_COLOURS.get(letter, theme.AREA_COLOURS["V"]).of(mode)
        drawn.add_shape(
            type="line", x0=own[0] - 0.35, x1=own[-1] + 0.35, y0=1, y1=1, yref="paper",
            line={"color": colour, "width": 4},
        )  # fmt: skip
        drawn.add_annotation(
            x=(own[0] + own[-1]) / 2, y=1, yref="paper", yshift=_LABELS - 8, showarrow=False,
            text=area(letter).split()[0] if len(own) > 5 else letter,
            font={"size": 12, "color": colour}, xanchor="center", yanchor="bottom",
        )  # fmt: skip
    for _, codes in groupby(down, key=lambda code: code[:1]):
        edge = [down[code] for code in codes][-1] + 0.5
        drawn.add_shape(type="line", y0=edge, y1=edge, x0=-0.5, x1=width - 0.5, line=line, layer="below")
    both = [code for code in down if code in across]
    drawn.add_scatter(
        x=[across[code] for code in both],
        y=[down[code] for code in both],
        mode="markers",
        hoverinfo="skip",
        name="itself",
        marker={"symbol": "line-nw-open", "size": 5, "color": theme.COLOURS["line-strong"].of(mode)},
    )
