"""Drift: the chosen cases against another split, and the metric by split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import AnalysisContext, model_cell
from dashboard.error_analysis.tables import (
    AnalysisSection,
    AnalysisTable,
    TableCell,
    csv_row,
    number_cell,
    table_of,
)
from dashboard.server.analysis_cache import EVERYBODY, base
from dashboard.shared import markup, url_state
from dashboard.shared.analysis_text import FIELDS, METRICS, NUMBERS, field_value, format_estimate
from dashboard.shared.formatting import MISSING, count
from leader_core.error_analysis import Shift
from leader_core.error_analysis.comparisons import LITTLE, MUCH

_MOST: Final = 25


def draw(context: AnalysisContext) -> None:
    """What to compare with, fields, numbers and classes, and the metric by split."""
    options = [*context.analysis.frame.columns["split"].values, EVERYBODY]
    if st.session_state["against"] not in options:
        st.session_state["against"] = options[0]
    st.selectbox(
        "Compare the chosen cases with",
        options,
        format_func=lambda s: "All scored cases" if s == EVERYBODY else f"{field_value('split', s)} split",
        width=240,
        **url_state.mirror("against"),
    )
    against = st.session_state["against"]
    first = context.analysis.mask(base(context.analysis, against))
    shifts = context.cached(("drift", against), lambda a: a.shifts(first, context.within))
    st.html(
        markup.panel_title(
            "Fields", f"stability index: below {LITTLE} is little, above {MUCH} is much, by custom"
        )
    )
    st.html(table(context, [s for s in shifts if s.kind == "field"]).html())
    st.html(
        markup.panel_title(
            "Numbers and classes prescribed", "standardised difference: 0.1 is little, 0.5 is much"
        )
    )
    st.html(table(context, _largest([s for s in shifts if s.kind != "field"])).html())
    cases = f"{count(int(first.sum()), 'case')} against {count(int(context.within.sum()), 'case')}"
    st.html(markup.note(f"{cases}; the {_MOST} largest."))
    csv_row("drift", lambda: table(context, shifts))
    st.html(
        markup.panel_title(
            f"{METRICS[context.metric]} by split", "all scored cases; training cases were learned from"
        )
    )
    st.html(split_table(context).html())


def sections(context: AnalysisContext) -> list[AnalysisSection]:
    """The chosen cases against the training split, where they are not all of it."""
    training = context.analysis.mask(base(context.analysis, "train"))
    if not training.any() or not (~training & context.within).any():
        return []
    shifts = [s for s in context.analysis.shifts(training, context.within) if s.measure == s.measure]
    text = "The chosen cases against the training split: stability index of fields, standardised difference of the rest"
    return [AnalysisSection("Drift", text, table(context, _largest(shifts)))]


def _largest(shifts: Sequence[Shift]) -> list[Shift]:
    return sorted(shifts, key=lambda s: -abs(np.nan_to_num(s.measure)))[:_MOST]


def table(context: AnalysisContext, shifts: Sequence[Shift]) -> AnalysisTable:
    """One row a field, number or class."""

    def name(shift: Shift) -> str:
        if shift.kind == "field":
            return FIELDS[shift.name]
        return context.titled(shift.name) if shift.kind == "class" else f"Mean {NUMBERS[shift.name]}"

    def most(shift: Shift) -> TableCell:
        if shift.measure != shift.measure:
            text = MISSING
        elif shift.kind == "field":
            text = f"{field_value(shift.name, shift.value)}: {shift.first:.0%} to {shift.second:.0%}"
        elif shift.kind == "class":
            text = f"{shift.first:.1%} to {shift.second:.1%}"
        else:
            text = f"{shift.first:.1f} to {shift.second:.1f}"
        return TableCell(shift.value, text)

    return table_of(
        shifts,
        [
            ("", "kind", lambda s: s.kind),
            ("What", "", name),
            ("", "name", lambda s: s.name),
            ("Measure", "measure", lambda s: number_cell(s.measure, ".3f")),
            ("Changed most", "value moved most", most),
            ("", "first", lambda s: number_cell(s.first)),
            ("", "second", lambda s: number_cell(s.second)),
        ],
    )


def split_table(context: AnalysisContext) -> AnalysisTable:
    """The metric by split, whatever cases are chosen: drift that matters shows here."""
    models, metric = context.models, context.metric
    grouping = context.cache.cached(("by-split", tuple(models)), lambda: context.analysis.by("split", models))
    return table_of(
        grouping.rows,
        [
            ("Split", "", lambda row: TableCell(row.group, field_value("split", row.group))),
            ("Model", "", lambda row: model_cell(row.model)),
            ("Cases", "", lambda row: row.cases),
            (METRICS[metric], "", lambda row: TableCell(None, format_estimate(metric, row.scores[metric]))),
        ],
    )
