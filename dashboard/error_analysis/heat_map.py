"""Two fields against each other: a metric in every cell as a filled square, and the cases behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import AnalysisContext, chart, few_note
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, metric_cell, table_of
from dashboard.shared import markup, theme, url_state
from dashboard.shared.analysis import FIELDS, METRICS, field_value, format_metric, model_name
from dashboard.shared.charts import add_squares, color_mode, shade, with_layout
from dashboard.shared.formatting import count, shortened, uncapitalized
from dashboard.shared.theme import Mode
from leader_core.error_analysis import FEWEST, Condition, HeatMap, Selection
from leader_core.error_analysis import FIELDS as ALL_FIELDS

if TYPE_CHECKING:
    import plotly.graph_objects as go

CELL: Final = (84, 40)  # pixels
_LEFT: Final = 190
_TOP: Final = 64
_LABEL: Final = 24
_MORE_IS_STRONGER: Final = ("medications", "ddi_rate")


def draw(context: AnalysisContext) -> None:
    """Which fields, the map, its CSV."""
    options = [f for f in ALL_FIELDS if f in context.analysis.frame.columns]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        for key, label in (("down", "Down"), ("across", "Across")):
            st.selectbox(label, options, format_func=FIELDS.__getitem__, width=240, **url_state.mirror(key))
    result = heat_map(context, st.session_state["down"], st.session_state["across"])
    rows, columns = result.rows, result.columns
    more = context.metric in _MORE_IS_STRONGER
    st.html(
        markup.panel_title(
            _heading(context, rows.name, columns.name),
            "the stronger the color, the more" if more else "the stronger the color, the worse",
        )
    )
    if not result.cases.any():
        st.html(markup.empty("No case", "This model has scored none of the chosen cases. Choose other ones."))
        return

    chart(
        context,
        figure(result, color_mode()),
        f"heat-{rows.name}-{columns.name}-{context.metric}-{context.model}-{context.selection.text}",
        f"{METRICS[context.metric]} in {count(int((result.cases > 0).sum()), 'cell')}",
        wide=True,
    )
    few = ((result.cases > 0) & (result.cases < FEWEST)).any()
    csv_row("two-fields", lambda: table(result), few_note(FEWEST, "Gray cells") if few else "")


def heat_map(context: AnalysisContext, rows: str, columns: str) -> HeatMap:
    """The metric in every cell."""
    key = ("heat", rows, columns, context.model, context.metric)
    model, metric = context.model, context.metric
    return context.cached(key, lambda a: a.heat_map(rows, columns, model, metric, context.within))


def _heading(context: AnalysisContext, rows: str, columns: str) -> str:
    down, across = uncapitalized(FIELDS[rows]), uncapitalized(FIELDS[columns])
    return f"{model_name(context.model)}: {METRICS[context.metric]} by {down} and {across}"


def table(result: HeatMap) -> AnalysisTable:
    """One row per cell."""
    rows, columns = result.rows, result.columns
    return table_of(
        np.ndindex(result.cases.shape),
        [
            (FIELDS[rows.name], rows.name, lambda at: _value_cell(rows.name, rows.values[at[0]])),
            (FIELDS[columns.name], columns.name, lambda at: _value_cell(columns.name, columns.values[at[1]])),
            ("Cases", "cases", lambda at: int(result.cases[at])),
            (
                METRICS[result.metric],
                result.metric,
                lambda at: metric_cell(result.metric, float(result.values[at])),
            ),
        ],
        few=lambda at: bool(result.cases[at] < FEWEST),
    )


def _value_cell(field: str, value: str) -> TableCell:
    return TableCell(value, field_value(field, value))


def figure(result: HeatMap, mode: Mode) -> go.Figure:
    """The map; cells of few cases are grey, smaller and framed."""
    import plotly.graph_objects as go

    figure = go.Figure()
    known = result.values[(result.cases >= FEWEST) & ~np.isnan(result.values)]
    limits = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    for few in (False, True):
        _add_cells(figure, result, few, limits, mode)
    width = _LEFT + len(result.columns.values) * CELL[0] + 12
    height = _TOP + len(result.rows.values) * CELL[1] + 12
    with_layout(figure, mode, height, width=width, showlegend=False)
    figure.update_layout(margin={"l": _LEFT, "r": 8, "t": _TOP, "b": 8})
    for axis, column, limit, most in (
        (figure.update_xaxes, result.columns, [-0.5, len(result.columns.values) - 0.5], 11),
        (figure.update_yaxes, result.rows, [len(result.rows.values) - 0.5, -0.5], _LABEL),
    ):
        axis(
            tickmode="array",
            tickvals=list(range(len(column.values))),
            ticktext=[shortened(field_value(column.name, v), most) for v in column.values],
            tickfont={"size": 12, "color": theme.COLOURS["ink"].of(mode)},
            range=limit,
            showgrid=False,
            automargin=False,
            ticklen=0,
        )
    figure.update_xaxes(side="top")
    return figure


def _add_cells(
    figure: go.Figure, result: HeatMap, few: bool, limits: tuple[float, float], mode: Mode
) -> None:
    rows, columns, (low, high) = result.rows, result.columns, limits
    cells = [
        (r, c) for r, c in np.argwhere(result.cases > 0).tolist() if bool(result.cases[r, c] < FEWEST) == few
    ]

    def colour(value: float) -> str:
        if few or np.isnan(value):
            return theme.COLOURS["surface"].of(mode)
        return shade(value if result.metric in _MORE_IS_STRONGER else low + high - value, low, high, mode)

    texts = [format_metric(result.metric, float(result.values[at])) for at in cells]
    add_squares(
        figure,
        cells,
        texts=texts,
        hover=[
            f"<b>{field_value(rows.name, rows.values[r])}</b><br>{field_value(columns.name, columns.values[c])}<br>"
            f"{METRICS[result.metric]} {text}, {result.cases[r, c]:,} cases{'<br>few cases: says little' if few else ''}"
            for (r, c), text in zip(cells, texts, strict=True)
        ],
        customdata=[
            Selection((Condition("is", (rows.name,), r), Condition("is", (columns.name,), c))).text
            for r, c in cells
        ],
        colours=[colour(float(result.values[at])) for at in cells],
        size=26 if few else 34,
        letters=11 if few else 13,
        ink=theme.COLOURS["muted"].of(mode) if few else "",
        frame=theme.COLOURS["line-strong"].of(mode) if few else "",
    )
