"""Two fields against each other: a metric in every cell, and the cases behind it."""

from __future__ import annotations

import streamlit as st

from dashboard.error_analysis.parts import View, chart, csv, few_note, mode
from dashboard.report.csv_tables import Cell
from dashboard.shared import analysis_text as say
from dashboard.shared import markup, url_state
from dashboard.shared.formatting import count
from leader_core.error_analysis import FEWEST, FIELDS, Condition, HeatMap


def show(view: View) -> None:
    """The view."""
    options = [f for f in FIELDS if f in view.desk.analysis.frame.columns]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        for key, label in (("rows", "Down"), ("columns", "Across")):
            st.selectbox(
                label, options, format_func=say.FIELDS.__getitem__, width=240, **url_state.mirror(key)
            )
    found = mapped(view, st.session_state["rows"], st.session_state["columns"])
    rows, columns = found.rows, found.columns
    st.html(
        markup.panel_title(
            f"{say.model(view.model)}: {say.METRICS[view.metric]} by {_low(rows.name)} and {_low(columns.name)}",
            "the stronger the colour, the worse"
            if view.metric not in ("medications", "ddi_rate")
            else "the stronger the colour, the more",
        )
    )
    if not found.cases.any():
        st.html(markup.empty("No case", "This model has scored none of the chosen cases. Choose other ones."))
        return
    from dashboard.error_analysis.heat_chart import figure

    def chosen(data: object) -> tuple[str, list[Condition]] | None:
        r, _, c = str(data).partition("|")
        if not (
            r.isdecimal() and c.isdecimal() and int(r) < len(rows.values) and int(c) < len(columns.values)
        ):
            return None
        told = (
            f"{say.value(rows.name, rows.values[int(r)])}, {say.value(columns.name, columns.values[int(c)])}"
        )
        return told, [Condition("is", (rows.name,), int(r)), Condition("is", (columns.name,), int(c))]

    chart(
        view,
        figure(found, say.value, mode()),
        f"heat-{rows.name}-{columns.name}-{view.metric}-{view.model}-{view.text}",
        f"{say.METRICS[view.metric]} in {count(int((found.cases > 0).sum()), 'cell')}",
        conditions=chosen,
        wide=True,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if ((found.cases > 0) & (found.cases < FEWEST)).any():
            st.html(markup.note(few_note(FEWEST).replace("Faint rows", "Grey cells")), width="content")
        st.space("stretch")
        csv("two-fields", *csv_table(found))


def mapped(view: View, rows: str, columns: str) -> HeatMap:
    """The figures of every cell."""
    key = ("heat", rows, columns, view.model, view.metric, view.key)
    analysis = view.desk.analysis
    return view.desk.kept(key, lambda: analysis.heat_map(rows, columns, view.model, view.metric, view.within))


def _low(field: str) -> str:
    label = say.FIELDS[field]
    return label[0].lower() + label[1:]


def csv_table(found: HeatMap) -> tuple[list[str], list[list[Cell]]]:
    """One row a cell."""
    rows: list[list[Cell]] = []
    for r, down in enumerate(found.rows.values):
        for c, across in enumerate(found.columns.values):
            value = float(found.values[r, c])
            rows.append([down, across, int(found.cases[r, c]), None if value != value else value])
    return [found.rows.name, found.columns.name, "cases", found.metric], rows
