"""Slices: the chosen cases saved as a list of the workspace, and two sets of cases compared: scores, fields, classes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import AnalysisContext, case_sets, model_cell
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, number_cell, table_of
from dashboard.server import analysis_cache
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, url_state
from dashboard.shared.analysis import FIELDS, METRICS, NUMBERS, field_value, format_estimate, format_gap
from dashboard.shared.error_messages import message_of_errors, show_message
from dashboard.shared.formatting import MISSING, count, percent
from leader_core.error_analysis import FEWEST, Bools, MetricEstimate, Shift, beyond_chance, difference
from leader_core.error_analysis.comparisons import LITTLE, MUCH
from leader_core.workspace.values import MOST_IDS

_NAME: Final = "_slice_name"
_MESSAGE: Final = "_slice_message"
CHOSEN: Final = "chosen"
REST: Final = "rest"
_STARS: Final = (
    "A star marks a difference that is more than chance would give, corrected for all differences of this table "
    "(Benjamini and Hochberg: at most 5 % of the stars are expected to be chance)."
)
_MOST: Final = 25  # numbers and classes that differ most
_METRICS: Final = ("prauc", "jaccard", "f1", "precision", "recall", "medications", "ddi_rate")


def save_button(context: AnalysisContext) -> None:
    """A form that saves the chosen cases' patients under a name."""
    with st.popover("Save slice", icon=":material/bookmark_add:", type="tertiary"):
        with st.form("slice", border=False):  # in a form, Enter saves
            st.text_input("Name of the slice", key=_NAME, max_chars=60)
            st.form_submit_button("Save", key="slice-save", type="primary", on_click=_save, args=(context,))
        st.html(
            markup.note(
                "Saved as a list of patients. It is under Cases, among the groups by saved list, under Compare "
                "and on the Patients page."
            )
        )
        show_message(_MESSAGE, "")


def _save(context: AnalysisContext) -> None:
    name = str(st.session_state.get(_NAME) or "").strip()
    ids = np.unique(context.analysis.frame.patient_ids[context.within]).tolist()
    if not name:
        st.session_state[_MESSAGE] = "Give the slice a name first."
        return
    if len(ids) > MOST_IDS:
        st.session_state[_MESSAGE] = (
            f"{len(ids):,} patients are more than the {MOST_IDS:,} that a list holds: narrow the cases first."
        )
        return
    with message_of_errors(_MESSAGE):
        get_workspace(context.service).save_cohort(name, ids)
        st.session_state[_NAME] = ""
        st.session_state[_MESSAGE] = f"Saved “{name}”: {count(len(ids), 'patient')}."


def draw(context: AnalysisContext) -> None:
    """Which two, every metric of both with the difference, and what differs between their cases."""
    sets = case_sets(context.service, context.analysis)
    names = {CHOSEN: "The chosen cases", REST: "All other cases", **sets}
    keys = list(names)
    for key, usual in (("first", CHOSEN), ("second", REST)):
        if st.session_state[key] not in names:
            st.session_state[key] = usual
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        for key, label in (("first", "First set"), ("second", "Second set")):
            st.selectbox(label, keys, format_func=names.__getitem__, width=320, **url_state.mirror(key, keys))
    one, other = (_mask(context, st.session_state[key]) for key in ("first", "second"))
    sizes = int(one.sum()), int(other.sum())
    if not min(sizes):
        which = names[st.session_state["first" if not sizes[0] else "second"]]
        st.html(
            markup.empty(
                f"No case in “{which}”",
                "Choose a point in another view, or a finding: its cases are then compared with the rest.",
            )
        )
        return
    titles = (names[st.session_state["first"]], names[st.session_state["second"]])
    shown = compare_table(context, titles, one, other)
    st.html(markup.panel_title("Two slices side by side", "95 % intervals over resampled patients"))
    st.html(shown.html())
    csv_row("compare", lambda: shown, _remark(one, other))
    if np.array_equal(one, other):
        st.html(markup.empty("Both are the same cases", "Choose another set for one of the two above."))
    else:
        _draw_shifts(context, one, other)


def _remark(one: Bools, other: Bools) -> str:
    parts = [_STARS]
    if shared := int((one & other).sum()):
        parts.append(
            f"The two share {count(shared, 'case')}: the intervals of the differences are wider than need be."
        )
    if min(one.sum(), other.sum()) < FEWEST:
        parts.append(f"Below {FEWEST} cases no interval is given.")
    return " ".join(parts)


def _mask(context: AnalysisContext, name: str) -> Bools:
    """(N,) the cases of one side; those that the model has scored."""
    find, analysis = analysis_cache.lookup(context.service), context.analysis
    scored = analysis.metrics(context.model).scored
    if name == CHOSEN:
        return context.within & scored
    base = analysis.mask(analysis_cache.base(analysis, st.session_state["of"]), find)
    if name == REST:
        return base & ~context.within & scored
    return analysis.mask(analysis_cache.base(analysis, name), find) & scored


def compare_table(
    context: AnalysisContext, titles: tuple[str, str], one: Bools, other: Bools
) -> AnalysisTable:
    """One row per model and metric: both values with their intervals, and their difference."""
    sides = {titles[0]: one, f"{titles[1]} ": other}  # two names, even of one slice
    grouped = {name: context.analysis.by_masks("slices", [name], sides).rows for name in context.models}
    rows = [(model, metric) for model in context.models for metric in _METRICS]
    few = {model: min(row.cases for row in both) < FEWEST for model, both in grouped.items()}

    def estimate(row: tuple[str, str], side: int) -> MetricEstimate | None:
        return grouped[row[0]][side].scores[row[1]]

    def difference_of(row: tuple[str, str]) -> MetricEstimate | None:
        first, second = estimate(row, 0), estimate(row, 1)
        return None if few[row[0]] or first is None or second is None else difference(first, second)

    gaps = list(map(difference_of, rows))
    starred = beyond_chance(gaps)

    def value(side: int) -> Callable[[int], TableCell]:
        def cell(i: int) -> TableCell:
            own = estimate(rows[i], side)
            text = format_estimate(rows[i][1], own)
            return TableCell(own.value if own else None, text.split(" (")[0] if few[rows[i][0]] else text)

        return cell

    def gap(i: int) -> TableCell:
        own = gaps[i]
        return TableCell(own.value if own else None, format_gap(rows[i][1], own, star=starred[i]))

    return table_of(
        range(len(rows)),
        [
            ("Model", "model", lambda i: model_cell(rows[i][0])),
            ("Metric", "metric", lambda i: METRICS[rows[i][1]]),
            (f"{titles[0]} ({int(one.sum()):,})", "one", value(0)),
            (f"{titles[1]} ({int(other.sum()):,})", "other", value(1)),
            ("Difference", "difference", gap),
        ],
    )


def _draw_shifts(context: AnalysisContext, one: Bools, other: Bools) -> None:
    """How the other set differs from the first in its fields, numbers and classes ordered."""
    key = ("shifts", zlib.crc32(one.tobytes()), zlib.crc32(other.tobytes()))
    shifts = context.cached(key, lambda a: a.shifts(one, other))
    st.html(
        markup.panel_title(
            "Fields that differ",
            f"stability index: below {LITTLE} is little, above {MUCH} is much, by custom",
        )
    )
    st.html(shift_table(context, [s for s in shifts if s.kind == "field"]).html())
    st.html(
        markup.panel_title(
            "Numbers and classes ordered that differ", "standardized difference: 0.1 is little, 0.5 is much"
        )
    )
    rest = sorted((s for s in shifts if s.kind != "field"), key=lambda s: -abs(np.nan_to_num(s.measure)))
    st.html(shift_table(context, rest[:_MOST]).html())
    csv_row("differences", lambda: shift_table(context, shifts), f"The {_MOST} largest; the CSV has all.")


def shift_table(context: AnalysisContext, shifts: Sequence[Shift]) -> AnalysisTable:
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
            ("Measure", "measure", lambda s: number_cell(s.measure)),
            ("Changed most", "value moved most", most),
            ("", "first", lambda s: number_cell(s.first)),
            ("", "second", lambda s: number_cell(s.second)),
        ],
    )
