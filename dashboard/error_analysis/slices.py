"""Slices: the chosen cases saved as a list of the workspace, and two sets of cases next to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import AnalysisContext, model_cell
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, table_of
from dashboard.server import analysis_cache
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, url_state
from dashboard.shared.analysis_text import METRICS, field_value, format_estimate, format_gap
from dashboard.shared.formatting import count
from leader_core import LeaderError
from leader_core.error_analysis import FEWEST, Bools, MetricEstimate, beyond_chance, difference
from leader_core.workspace.values import MOST_IDS

_NAME: Final = "_slice_name"
_MESSAGE: Final = "_slice_message"
CHOSEN: Final = "chosen"
REST: Final = "rest"
_STARS: Final = (
    "A star marks a difference that is more than chance would give, corrected for all differences of this table "
    "(Benjamini and Hochberg: at most 5 % of the stars are expected to be chance)."
)
_METRICS: Final = ("prauc", "jaccard", "f1", "precision", "recall", "medications", "ddi_rate")


def save_button(context: AnalysisContext) -> None:
    """A form that saves the chosen cases' patients under a name."""
    with st.popover("Save slice", icon=":material/bookmark_add:", type="tertiary"):
        st.text_input("Name of the slice", key=_NAME, max_chars=60)
        st.button("Save", key="slice-save", type="primary", on_click=_save, args=(context,))
        st.html(
            markup.note(
                "Saved as a list of patients. It stands under Cases, among the groups by saved list, under Compare "
                "and on the Patients page."
            )
        )
        if message := st.session_state.pop(_MESSAGE, ""):
            st.html(markup.callout(message))


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
    try:
        get_workspace(context.service).save_cohort(name, ids)
    except LeaderError as error:
        st.session_state[_MESSAGE] = str(error)
        return
    st.session_state[_NAME] = ""
    st.session_state[_MESSAGE] = f"Saved “{name}”: {count(len(ids), 'patient')}."


def draw(context: AnalysisContext) -> None:
    """Which two, and every metric of both with the difference."""
    names = _names(context)
    keys = list(names)
    for key, usual in (("first", CHOSEN), ("second", REST)):
        if st.session_state[key] not in names:
            st.session_state[key] = usual
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        for key, label in (("first", "One"), ("second", "The other")):
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
    csv_row("compare", shown, _remark(one, other))


def _remark(one: Bools, other: Bools) -> str:
    parts = [_STARS]
    if shared := int((one & other).sum()):
        parts.append(
            f"The two share {count(shared, 'case')}: the intervals of the differences are wider than need be."
        )
    if min(one.sum(), other.sum()) < FEWEST:
        parts.append(f"Below {FEWEST} cases no interval is given.")
    return " ".join(parts)


def _names(context: AnalysisContext) -> dict[str, str]:
    """What may be compared: the chosen cases, the rest, splits, saved lists."""
    lists = {f"{analysis_cache.LIST}{c.cohort_id}": c.name for c in get_workspace(context.service).cohorts()}
    splits = context.analysis.frame.columns["split"].values
    return {
        CHOSEN: "The chosen cases",
        REST: "All others of the same cases",
        **{split: f"{field_value('split', split)} split" for split in splits},
        **{key: f"List: {name}" for key, name in lists.items()},
    }


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
    rows: list[_Row] = []
    sides: Mapping[str, Bools] = {titles[0]: one, f"{titles[1]} ": other}  # two names, even of one slice
    for model in context.models:
        first, second = context.analysis.by_masks("slices", [model], sides).rows
        few = min(first.cases, second.cases) < FEWEST
        rows += [_row(model, name, first.scores[name], second.scores[name], few) for name in _METRICS]
    starred = beyond_chance([row.gap for row in rows])

    def value(estimate: MetricEstimate | None, row: _Row) -> TableCell:
        text = format_estimate(row.metric, estimate)
        return TableCell(estimate.value if estimate else None, text.split(" (")[0] if row.few else text)

    def gap(index: int) -> TableCell:
        row = rows[index]
        text = format_gap(row.metric, row.gap, star=starred[index])
        return TableCell(row.gap.value if row.gap else None, text)

    return table_of(
        range(len(rows)),
        [
            ("Model", "model", lambda i: model_cell(rows[i].model)),
            ("Metric", "metric", lambda i: METRICS[rows[i].metric]),
            (f"{titles[0]} ({int(one.sum()):,})", "one", lambda i: value(rows[i].first, rows[i])),
            (f"{titles[1]} ({int(other.sum()):,})", "other", lambda i: value(rows[i].second, rows[i])),
            ("Difference", "difference", gap),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One metric of one model in both slices; `gap` is None where a slice has few cases."""

    model: str
    metric: str
    first: MetricEstimate | None
    second: MetricEstimate | None
    few: bool
    gap: MetricEstimate | None


def _row(
    model: str, metric: str, first: MetricEstimate | None, second: MetricEstimate | None, few: bool
) -> _Row:
    gap = None if few or first is None or second is None else difference(first, second)
    return _Row(model, metric, first, second, few, gap)
