"""The whole vocabulary as a matrix: classes by classes, grouped by therapeutic area, severity by colour and size.

One family at a time: alerts, each ranked by the share of both classes that carries it, or the statistical signal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import alerts, graph
from dashboard.interactions.sets import ReviewedSet
from dashboard.shared import charts, markup, theme, url_state, wording
from dashboard.shared.case_text import tables_cover
from dashboard.shared.charts import UNFADED, color_mode, with_layout
from dashboard.shared.comparison import AREAS, area
from dashboard.shared.formatting import count
from dashboard.shared.page_case import titles_of
from dashboard.shared.templates import macro
from dashboard.shared.theme import Mode
from dashboard.shared.widgets import switch
from leader_core import Case, Interaction
from leader_core.domain import GRADED
from leader_core.interactions import Review, is_statistical

if TYPE_CHECKING:
    import plotly.graph_objects as go

_WHOLE: Final = "all"
_MOST: Final = 220
"""Classes that can be drawn at once; a vocabulary of single drugs is drawn area by area."""
_ACROSS: Final = 1000  # pixels that the cells may take
_CELL: Final = (7.0, 22.0)  # pixels, least and most
_LABELS: Final = 46  # pixels for codes
_HEAD: Final = 24
_FAMILIES: Final = {"clinical": "Clinical alerts", "statistical": "Statistical signal"}

BINDINGS: Final = {
    "family": url_state.Binding.choice("clinical", _FAMILIES),
    "area_rows": url_state.Binding.choice(_WHOLE, dict.fromkeys((_WHOLE, *AREAS))),
    "area_columns": url_state.Binding.choice(_WHOLE, dict.fromkeys((_WHOLE, *AREAS))),
}


def show(reviewed: ReviewedSet) -> None:
    """The whole vocabulary, and the card of the chosen cell."""
    left, right = st.columns([3.6, 1], gap="medium")
    pair = st.session_state.get(graph.PAIR)
    with left:
        _table(reviewed, pair)
    with right:
        if pair:
            _card(reviewed, *pair.split("-"))
        else:
            st.html(
                markup.empty(
                    "No cell chosen",
                    f"Choose a cell to see what the two {reviewed.unit.many} do together.",
                )
            )
        st.html(markup.note(tables_cover()))


def _card(reviewed: ReviewedSet, one: str, other: str) -> None:
    """What the two classes do together, and whether there is a statistical signal."""
    review = _whole(reviewed, (one, other))
    shown = [alert for alert in review.alerts if {one, other} <= {graph.node(drug) for drug in alert.drugs}]
    st.html(markup.panel_title(f"{reviewed.titles(one)} and {reviewed.titles(other)}"))
    st.html(
        alerts.alerts_html(alerts.grouped(shown, titles_of(reviewed.service)))
        or markup.note(wording.NOTHING_LISTED)
    )
    if review.signals:
        st.html(markup.note(wording.STATISTICAL))


def _whole(reviewed: ReviewedSet, codes: Sequence[str]) -> Review:
    """The review of classes without any patient: one drug of each would be chosen."""
    return reviewed.service.engine.review_set(Case(), codes)


def _table(reviewed: ReviewedSet, pair: str | None) -> None:
    """Which family and which therapeutic areas, and the matrix."""
    cohort = reviewed.service.engine.cohort
    titles = dict(sorted(cohort.titles("medication").items()))
    letters = sorted({code[:1] for code in titles})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="matrix_tools"):
        family = switch("Table", _FAMILIES, labelled=True, **url_state.mirror("family"))
        rows, columns = _areas_to_show(letters, len(titles))
    across = [code for code in titles if columns in (_WHOLE, code[:1])]
    down = [code for code in titles if rows in (_WHOLE, code[:1])]
    if family == "statistical":
        entries = [pair for pair in cohort.interactions if is_statistical(pair)]
    else:
        entries = graph.pairs_of(_whole(reviewed, sorted({*across, *down})))
    st.html(severity_levels(("unknown",) if family == "statistical" else GRADED))
    chart = figure(
        across,
        down,
        entries,
        titles=titles,
        marked=reviewed.codes,
        chosen=pair.split("-") if pair else (),
        mode=color_mode(),
    )
    key = f"matrix-{family}-{rows}-{columns}"
    with st.container(key="matrix_box"), st.container(width=int(chart.layout.width)):
        # An element that takes the keyboard's focus, so that arrow keys scroll the table sideways.
        st.html('<p class="ld-note ld-wide" tabindex="0">The table scrolls sideways in a narrow window.</p>')
        charts.draw(
            chart,
            key,
            f"{count(len(entries), 'pair')} of {len(down)} rows by {len(across)} columns",
            width="content",
            on_select=lambda: graph.choose_point(key),
            selection_mode="points",
        )
    bold = " Codes of the patient's set are in bold." if reviewed.codes else ""
    st.html(
        markup.note(
            "Hover a cell for its names, choose it for what the two do together. A pair counts as severe as the share of "
            "both classes that carries it allows. An empty cell is a pair that no table lists, never proof of "
            f"safety.{bold}"
        )
    )


def _areas_to_show(letters: list[str], size: int) -> tuple[str, str]:
    """Which areas stand in rows and columns; everything, where that can still be read."""
    options = [*([_WHOLE] if size <= _MOST else []), *letters]
    chosen = []
    for key, label in (("area_rows", "Rows"), ("area_columns", "Columns")):
        if st.session_state.get(key) not in options:
            st.session_state[key] = options[0]
        letter = st.selectbox(
            label,
            options,
            **url_state.mirror(key),
            width=220,
            format_func=lambda letter: "All areas" if letter == _WHOLE else f"{letter}  {area(letter)}",
        )
        chosen.append(str(letter))
    return chosen[0], chosen[1]


def severity_levels(levels: Sequence[str]) -> Markup:
    """The cells of the matrix: the more severe, the fuller the cell."""
    rows = []
    for level in levels:
        size = f"{round(12 * theme.CELL_SIZES[level])}px"
        style = f"background:{theme.CELL_COLOURS[level].css};width:{size};height:{size};border-radius:0"
        rows.append((wording.SEVERITY_LABELS[level], style))
    return macro("swatches", "interactions/charts.html")(rows)


def cell_size(classes: int) -> float:
    """Pixels of one cell.

    >>> cell_size(20), cell_size(125), cell_size(400)
    (22.0, 8.0, 7.0)
    """
    return max(_CELL[0], min(_CELL[1], _ACROSS / max(classes, 1)))


def figure(
    columns: Sequence[str],
    rows: Sequence[str],
    pairs: Sequence[Interaction],
    *,
    titles: Mapping[str, str],
    marked: Collection[str] = (),
    chosen: Sequence[str] = (),
    mode: Mode = "light",
) -> go.Figure:
    """The matrix of `rows` against `columns`; each cell with a pair is a point that carries "A|B".

    `marked` classes (those of a patient's set) stand in bold; the two codes of `chosen` are framed.
    """
    import plotly.graph_objects as go

    across = {code: i for i, code in enumerate(sorted(columns))}
    down = {code: i for i, code in enumerate(sorted(rows))}
    size = cell_size(len(across))
    chart = go.Figure()
    for severity in theme.EDGE_STYLES:
        level = [p for p in pairs if p.severity == severity]
        _cells(chart, level, severity, across, down, titles, size, mode)
    if chosen:
        _frame(chart, chosen, across, down, mode)
    _areas(chart, across, down, mode)
    font = {
        "family": theme.MONO,
        "size": min(11.0, max(7.0, size - 0.5)),
        "color": theme.COLOURS["ink"].of(mode),
    }
    return with_layout(
        chart,
        mode,
        int(size * len(down)) + _HEAD + _LABELS - 6,
        size=12,
        width=int(size * len(across)) + _LABELS + 8,
        margin={"l": _LABELS, "r": 8, "t": _HEAD + _LABELS - 10, "b": 4},
        showlegend=False,
        xaxis=_axis(across, marked, font, [-0.5, len(across) - 0.5]) | {"side": "top", "tickangle": -90},
        yaxis=_axis(down, marked, font, [len(down) - 0.5, -0.5]),
    )


def _axis(
    positions: Mapping[str, int], marked: Collection[str], font: Mapping[str, object], limits: list[float]
) -> dict[str, object]:
    return {
        "tickmode": "array",
        "tickvals": list(positions.values()),
        "ticktext": [f"<b>{code}</b>" if code in marked else code for code in positions],
        "tickfont": font,
        "range": limits,
        "showgrid": False,
        "automargin": False,
        "ticklen": 0,
    }


def _cells(
    chart: go.Figure,
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
    chart.add_scatter(
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
        **UNFADED,
    )


def _frame(
    chart: go.Figure, chosen: Sequence[str], across: Mapping[str, int], down: Mapping[str, int], mode: Mode
) -> None:
    colour = theme.COLOURS["ink"].of(mode)
    for one, other in (tuple(chosen), tuple(chosen[::-1])):
        if one in down and other in across:
            x, y = across[other], down[one]
            chart.add_shape(
                type="rect", x0=x - 0.75, x1=x + 0.75, y0=y - 0.75, y1=y + 0.75,
                line={"color": colour, "width": 2},
            )  # fmt: skip


def _areas(chart: go.Figure, across: Mapping[str, int], down: Mapping[str, int], mode: Mode) -> None:
    """Lines between therapeutic areas, the areas' names on top, and the diagonal where a class meets itself."""
    line = {"color": theme.COLOURS["line"].of(mode), "width": 1}
    width, height = len(across), len(down)
    for letter, codes in groupby(across, key=lambda code: code[:1]):
        own = [across[code] for code in codes]
        edge = own[-1] + 0.5
        chart.add_shape(type="line", x0=edge, x1=edge, y0=-0.5, y1=height - 0.5, line=line, layer="below")
        colour = theme.area_colour(letter).of(mode)
        chart.add_shape(
            type="line", x0=own[0] - 0.35, x1=own[-1] + 0.35, y0=1, y1=1, yref="paper",
            line={"color": colour, "width": 4},
        )  # fmt: skip
        chart.add_annotation(
            x=(own[0] + own[-1]) / 2, y=1, yref="paper", yshift=_LABELS - 8, showarrow=False,
            text=area(letter).split()[0] if len(own) > 5 else letter,
            font={"size": 12, "color": colour}, xanchor="center", yanchor="bottom",
        )  # fmt: skip
    for _, codes in groupby(down, key=lambda code: code[:1]):
        edge = [down[code] for code in codes][-1] + 0.5
        chart.add_shape(type="line", y0=edge, y1=edge, x0=-0.5, x1=width - 0.5, line=line, layer="below")
    both = [code for code in down if code in across]
    chart.add_scatter(
        x=[across[code] for code in both],
        y=[down[code] for code in both],
        mode="markers",
        hoverinfo="skip",
        name="itself",
        marker={"symbol": "line-nw-open", "size": 5, "color": theme.COLOURS["line-strong"].of(mode)},
    )
