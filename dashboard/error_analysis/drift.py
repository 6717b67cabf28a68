"""Drift: the chosen cases against another split, and the metric by split."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import streamlit as st
from markupsafe import Markup

from dashboard.error_analysis.context import AnalysisContext, case_sets, model_cell
from dashboard.error_analysis.tables import (
    AnalysisTable,
    TableCell,
    csv_row,
    number_cell,
    table_of,
)
from dashboard.server.analysis_cache import base, lookup
from dashboard.shared import markup, url_state
from dashboard.shared.analysis import FIELDS, METRICS, NUMBERS, field_value, format_estimate
from dashboard.shared.formatting import MISSING, count, percent
from leader_core.error_analysis import Bools, Shift
from leader_core.error_analysis.comparisons import LITTLE, MUCH

_MOST: Final = 25
_REST: Final = "rest"  # the scored cases that are not chosen


def draw(context: AnalysisContext) -> None:
    """What to compare with, fields, numbers and classes, and the metric by split."""
    options = others(context)
    if options:
        if st.session_state["against"] not in options:
            st.session_state["against"] = None
        st.selectbox(
            "Compare the chosen cases with",
            list(options),
            format_func=lambda key: options[key][0],
            placeholder="Choose another set of cases",
            width=280,
            **url_state.mirror("against"),
        )
    against = st.session_state["against"] if options else None
    if against is None:
        st.html(_ask(context, options))
    else:
        _draw_shifts(context, str(against), options[str(against)][1])
    st.html(
        markup.panel_title(
            f"{METRICS[context.metric]} by split", "all scored cases; training cases were learned from"
        )
    )
    st.html(split_table(context).html())


def others(context: AnalysisContext) -> dict[str, tuple[str, Bools]]:
    """The sets that the chosen cases can be compared with, by key: name and (N,) mask; none holds just the same cases."""
    analysis, find = context.analysis, lookup(context.service)
    named = case_sets(context.service, analysis)
    sets = {key: (name, analysis.mask(base(analysis, key), find)) for key, name in named.items()}
    sets[_REST] = ("The other scored cases", ~context.within)
    return {k: v for k, v in sets.items() if v[1].any() and not np.array_equal(v[1], context.within)}


def _ask(context: AnalysisContext, options: Mapping[str, object]) -> Markup:
    if options:
        return markup.empty(
            "Compared with which cases?", "Choose another split, a saved list, or the other cases above."
        )
    cohort = context.service.engine.cohort.path.name
    return markup.empty(
        "There is no other set of cases to compare with",
        "Every scored case is chosen. Narrow the cases by a condition above, save a list on the Patients page, or score "
        f"the other splits: python -m train scores --cohort {cohort} --models DIR",
    )


def _draw_shifts(context: AnalysisContext, key: str, first: Bools) -> None:
    shifts = context.cached(
        ("drift", key, zlib.crc32(first.tobytes())), lambda a: a.shifts(first, context.within)
    )
    st.html(
        markup.panel_title(
            "Fields", f"stability index: below {LITTLE} is little, above {MUCH} is much, by custom"
        )
    )
    st.html(table(context, [s for s in shifts if s.kind == "field"]).html())
    st.html(
        markup.panel_title(
            "Numbers and classes ordered", "standardized difference: 0.1 is little, 0.5 is much"
        )
    )
    st.html(table(context, _largest([s for s in shifts if s.kind != "field"])).html())
    cases = f"{count(int(first.sum()), 'case')} against the chosen {count(int(context.within.sum()), 'case')}"
    st.html(markup.note(f"{cases}; the {_MOST} largest."))
    csv_row("drift", lambda: table(context, shifts))


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
            text = (
                f"{field_value(shift.name, shift.value)}: {percent(shift.first)} to {percent(shift.second)}"
            )
        elif shift.kind == "class":
            text = f"{percent(shift.first, 1)} to {percent(shift.second, 1)}"
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
