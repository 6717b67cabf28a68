"""The map of cases: each case where the student sees it, colored by error or by a field; a box drawn on it selects its cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.error_analysis import cross_filter
from dashboard.error_analysis.context import AnalysisContext, show_chosen
from dashboard.shared import charts, markup, theme, url_state
from dashboard.shared.analysis import FIELDS, field_value, model_name
from dashboard.shared.charts import SCALES, color_mode, with_layout
from dashboard.shared.formatting import count, uncapitalized
from dashboard.shared.theme import Mode
from leader_core.error_analysis import FIELDS as ALL_FIELDS
from leader_core.error_analysis import Condition, boxed

if TYPE_CHECKING:
    import plotly.graph_objects as go

ERROR: Final = "error"
"""What colours the points where no field does: 1 − Jaccard."""
MOST: Final = 20_000
"""Points drawn at most: a browser stays quick with them."""
_HEIGHT: Final = 560
_VALUES: Final = 8
"""Values of a field with a colour of their own; the rest is grey."""
_PALETTE: Final = ("accent", "major", "good", "teacher", "student", "moderate", "contraindicated", "minor")
_SIDES: Final = ("Across", "Up")


def draw(context: AnalysisContext) -> None:
    """What colours the points, the map, a way to select without drawing."""
    points = context.analysis.case_map
    placed = context.within & ~np.isnan(points[:, 0])
    if not placed.any():
        st.html(
            markup.empty(
                "No map of these cases is stored",
                "It is stored with the student's scores: make them again with `python -m train scores`.",
            )
        )
        return
    labels = {ERROR: "Error (1 − Jaccard)", **FIELDS}
    options = [ERROR, *(f for f in ALL_FIELDS if f in context.analysis.frame.columns)]
    if st.session_state["colour"] not in options:
        st.session_state["colour"] = ERROR
    st.selectbox(
        "Colored by", options, format_func=labels.__getitem__, width=300,
        **url_state.mirror("colour", options),
    )  # fmt: skip
    rows = sampled(np.flatnonzero(placed))
    total = int(placed.sum())
    detail = (
        f"{count(total, 'case')}"
        if total == len(rows)
        else f"{len(rows):,} of {total:,} cases are drawn, at random"
    )
    st.html(markup.panel_title("Map of cases", f"{detail}; near each other: alike to the student"))
    key = cross_filter.chart_key(f"map-{st.session_state['colour']}-{context.model}-{context.key}")
    charts.draw(
        figure(context, rows, st.session_state["colour"], color_mode()),
        key,
        f"Map of {count(len(rows), 'case')}, colored by {uncapitalized(labels[st.session_state['colour']])}",
        on_select=lambda: _take(key),
        selection_mode=("box",),
    )
    show_chosen(context, "Draw a box on the map: every other view then shows its cases alone.")
    _sliders(points[placed])
    st.html(
        markup.note(
            "The two directions in which the student's representations differ most (principal components). The axes mean "
            "nothing by themselves; cases that lie near each other may still differ in other directions."
        )
    )


def sampled(rows: NDArray[np.int64], most: int = MOST) -> NDArray[np.int64]:
    """At most so many of the rows, always the same ones, in their order.

    >>> sampled(np.arange(4), 9).tolist(), len(sampled(np.arange(100), 9))
    ([0, 1, 2, 3], 9)
    """
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(42).choice(rows, most, replace=False))


def _take(key: str) -> None:
    boxes: list[Any] = st.session_state[key].selection.box
    if not boxes:
        cross_filter.choose(())
        return
    x, y = boxes[-1]["x"], boxes[-1]["y"]
    cross_filter.choose([boxed(min(x), max(x), min(y), max(y))])


def _sliders(points: NDArray[np.float32]) -> None:
    """The same selection by keyboard: two ranges."""
    with st.expander("Select by numbers"):
        low, high = points.min(0), points.max(0)
        chosen = next((c for c in cross_filter.conditions() if c.kind == "box"), None)
        sides = list(map(float, chosen.names)) if chosen else []
        ranges = []
        for axis, label in enumerate(_SIDES):
            bottom, top = round(float(low[axis]) - 0.01, 2), round(float(high[axis]) + 0.01, 2)
            now = tuple(sides[2 * axis : 2 * axis + 2]) if sides else (bottom, top)
            value = (max(bottom, min(now[0], top)), min(top, max(now[1], bottom)))
            ranges.append(
                st.slider(
                    label,
                    bottom,
                    top,
                    value,
                    step=0.01,
                    key=f"map-{axis}-{cross_filter.chart_key('')}-{value}",
                )
            )
        (left, right), (below, above) = ranges
        st.button(
            "Select these",
            key="map-select",
            on_click=cross_filter.choose,
            args=([boxed(left, right, below, above)],),
        )


def figure(context: AnalysisContext, rows: NDArray[np.int64], colour: str, mode: Mode) -> go.Figure:
    """Points of some cases (rows of the frame), colored by an error or a field."""
    import plotly.graph_objects as go

    chart = go.Figure()
    if colour == ERROR:
        _by_error(chart, context, rows, mode)
    else:
        _by_field(chart, context, rows, colour, mode)
    with_layout(chart, mode, _HEIGHT, showlegend=colour != ERROR)
    chart.update_layout(dragmode="select", legend={"itemclick": False, "itemdoubleclick": False})
    for axis in (chart.update_xaxes, chart.update_yaxes):
        axis(showticklabels=False, ticks="", showgrid=False, showline=True, mirror=True)
    _draw_box(chart, context, mode)
    return chart


def _draw_box(chart: go.Figure, context: AnalysisContext, mode: Mode) -> None:
    """The chosen box as a frame: another session's link shows it too."""
    box: Condition | None = next((c for c in context.chosen.conditions if c.kind == "box"), None)
    if box is not None:
        left, right, bottom, top = map(float, box.names)
        line = {"color": theme.COLOURS["ink"].of(mode), "width": 1.5, "dash": "dot"}
        chart.add_shape(type="rect", x0=left, x1=right, y0=bottom, y1=top, line=line)


def _by_error(chart: go.Figure, context: AnalysisContext, rows: NDArray[np.int64], mode: Mode) -> None:
    values = 1 - context.analysis.metrics(context.model).jaccard[rows]
    title = f"1 − Jaccard, {model_name(context.model)}"
    bar = {"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    _scatter(
        chart, context.analysis.case_map[rows], [f"1 − Jaccard {v:.2f}" for v in values], title, mode,
        color=values, colorscale=list(SCALES[mode]), colorbar=bar, cmin=0.0, cmax=1.0,
    )  # fmt: skip


def _by_field(
    chart: go.Figure, context: AnalysisContext, rows: NDArray[np.int64], field: str, mode: Mode
) -> None:
    column, points = context.analysis.column(field), context.analysis.case_map[rows]
    codes = column.codes[rows]
    sizes = np.bincount(codes, minlength=len(column.values))
    largest = np.argsort(-sizes, kind="stable")[:_VALUES].tolist()
    ordered = [i for i in range(len(column.values)) if i in largest and sizes[i]]
    for number, index in enumerate(ordered):
        own = codes == index
        name = field_value(field, column.values[index])
        _scatter(
            chart,
            points[own],
            [name] * int(own.sum()),
            name,
            mode,
            color=theme.COLOURS[_PALETTE[number]].of(mode),
        )
    others = ~np.isin(codes, largest)
    if others.any():
        texts = [field_value(field, column.values[i]) for i in codes[others].tolist()]
        _scatter(
            chart, points[others], texts, "All others", mode, color=theme.COLOURS["line-strong"].of(mode)
        )


def _scatter(
    chart: go.Figure, points: NDArray[np.float32], texts: list[str], name: str, mode: Mode, **marker: Any
) -> None:
    size = 8 if len(points) < 2_000 else 5 if len(points) < 10_000 else 4
    chart.add_scattergl(
        x=points[:, 0],
        y=points[:, 1],
        text=texts,
        hoverinfo="text",
        mode="markers",
        name=name,
        marker={
            "size": size,
            "line": {"width": 0.5 if size > 4 else 0, "color": theme.COLOURS["muted"].of(mode)},
            **marker,
        },
        unselected={"marker": {"opacity": 0.25}},
    )
