"""Figures by group: all metrics of all models over the chosen cases, then one metric by a field with its gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.parts import TableCell, View, chart, csv, few_note, mode, opens, table
from dashboard.report.csv_tables import Cell
from dashboard.server.workspace import get_workspace
from dashboard.shared import analysis_text as say
from dashboard.shared import markup, url_state
from dashboard.shared.formatting import MISSING, count
from leader_core.error_analysis import FEWEST, FIELDS, SENSITIVE, Condition, Grouping, GroupScores, Selection
from leader_core.error_analysis.frame import Bools

OVERALL: Final = "overall"
_GAPS: Final = (
    "Gaps are to the group with most cases. A star marks an interval that leaves out 0; with many groups looked at, "
    "some such stars are chance. A gap says that the model does worse there, not why."
)


def overall(view: View) -> None:
    """Every metric of every stored model over the chosen cases."""
    names = list(view.desk.analysis.models)
    found = overall_of(view, names)
    st.html(markup.panel_title("All chosen cases", "95 % intervals over resampled patients"))
    st.html(table(*overall_table(found), numeric=frozenset(range(1, 10))))


def overall_of(view: View, names: Sequence[str]) -> Grouping:
    analysis = view.desk.analysis
    key = ("overall", view.key, tuple(names))
    return view.desk.kept(key, lambda: analysis.by_masks(OVERALL, names, {OVERALL: view.within}))


def overall_table(found: Grouping) -> tuple[list[str], list[list[TableCell]]]:
    """Models down, metrics across; what was prescribed last."""
    headings = ["Model", "Cases", *say.METRICS.values()]
    rows: list[list[TableCell]] = [
        [say.model(r.model), f"{r.cases:,}", *(say.estimate(m, r.scores[m]) for m in say.METRICS)]
        for r in found.rows
    ]
    real = next((r for r in found.rows if r.cases), None)
    if real is not None:
        shown = {"medications": real.real_medications, "ddi_rate": real.real_ddi_rate}
        rows.append(
            ["Prescribed", f"{real.cases:,}",
             *(say.figure(m, shown[m]) if m in shown else MISSING for m in say.METRICS)]
        )  # fmt: skip
    return headings, rows


def show(view: View) -> None:
    """The view: what to group by, the figure, the table."""
    overall(view)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        options = [*(f for f in FIELDS if f in view.desk.analysis.frame.columns), say.LISTS]
        st.selectbox(
            "Group by",
            options,
            format_func=lambda f: "Saved lists" if f == say.LISTS else say.FIELDS[f],
            width=240,
            **url_state.mirror("by"),
        )
    field = st.session_state["by"]
    found = grouping(view, field)
    label = "Saved lists" if field == say.LISTS else say.FIELDS[field]
    st.html(
        markup.panel_title(
            f"{say.METRICS[view.metric]} by {label[0].lower()}{label[1:]}", say.METRICS_TOLD[view.metric]
        )
    )
    if not found.rows:
        st.html(
            markup.empty(
                "No saved lists", "Keep a list on the Patients page; it stands here as a group of its own."
            )
        )
        return
    from dashboard.error_analysis.groups_chart import figure

    drawn = figure(found, view.models, view.metric, lambda v: named(view, field, v), mode())
    chart(
        view,
        drawn,
        f"groups-{field}-{view.metric}-{view.model}-{view.beside}-{view.text}",
        f"{say.METRICS[view.metric]} by {label}, {count(len(found.rows), 'row')}",
        conditions=lambda data: (named(view, field, data), [condition(view, field, data)]),
    )
    _table(view, found, field)
    if field in SENSITIVE:
        st.html(markup.note(_GAPS))


def grouping(view: View, field: str) -> Grouping:
    """The figures of both models by a field, or by saved list."""
    analysis, models = view.desk.analysis, view.models
    if field == say.LISTS:
        return analysis.by_masks(field, models, _lists(view))
    key = ("by", field, view.key, tuple(models))
    return view.desk.kept(key, lambda: analysis.by(field, models, view.within))


def _lists(view: View) -> Mapping[str, Bools]:
    """Saved lists by id, as masks over the chosen cases; everybody chosen first."""
    from dashboard.server.analysis_cache import lookup

    found: dict[str, Bools] = {}
    for saved in get_workspace(view.service).cohorts():
        selection = Selection((Condition("list", (saved.cohort_id,)),))
        found[saved.cohort_id] = view.within & view.desk.analysis.mask(selection, lookup(view.service))
    return {OVERALL: view.within, **found} if found else {}


def named(view: View, field: str, value: str) -> str:
    """A group in words."""
    if field != say.LISTS:
        return say.value(field, value)
    return "All chosen cases" if value == OVERALL else view.named("list", value)


def condition(view: View, field: str, value: str) -> Condition:
    """What chooses a group's cases."""
    if field == say.LISTS:
        return Condition("list", (value,)) if value != OVERALL else Condition("ge", ("visits",), 0)
    return Condition("is", (field,), view.desk.analysis.column(field).values.index(value))


def _table(view: View, found: Grouping, field: str) -> None:
    rows: list[list[TableCell]] = []
    faint = set()
    for row in found.rows:
        label = named(view, field, row.group)
        if row.few:
            faint.add(len(rows))
        rows.append(
            [
                label,
                say.model(row.model),
                opens(view, row.cases, label, condition(view, field, row.group), *_scored(view, row)),
                say.estimate(view.metric, row.scores[view.metric]),
                "reference" if row.group == found.reference else say.gap(view.metric, row.gaps[view.metric]),
                say.figure("medications", row.real_medications),
            ]
        )
    headings = [
        "Group",
        "Model",
        "Cases",
        say.METRICS[view.metric],
        "Gap to the largest",
        "Prescribed classes",
    ]
    st.html(table(headings, rows, numeric=frozenset((2, 3, 4, 5)), faint=frozenset(faint)))
    with st.container(horizontal=True, vertical_alignment="center"):
        if faint:
            st.html(markup.note(few_note(FEWEST)), width="content")
        st.space("stretch")
        csv(f"by-{field}", *csv_table(found, lambda v: named(view, field, v)))


def _scored(view: View, row: GroupScores) -> list[Condition]:
    """Where a model has not scored all cases, its count opens those that it has."""
    if bool(np.all(view.desk.analysis.metrics(row.model).scored)):
        return []
    return [Condition("score", ("jaccard", row.model, "ge"), 0)]


def csv_table(found: Grouping, name: object = None) -> tuple[list[str], list[list[Cell]]]:
    """Every metric of every group with its interval and its gap."""
    headings = ["field", "group", "model", "cases", "patients", "few cases"]
    for metric in say.METRICS:
        headings += [
            metric,
            f"{metric} low",
            f"{metric} high",
            f"{metric} gap",
            f"{metric} gap low",
            f"{metric} gap high",
        ]
    headings += ["prescribed classes", "prescribed interaction rate"]
    rows: list[list[Cell]] = []
    for row in found.rows:
        label = name(row.group) if callable(name) else row.group
        cells: list[Cell] = [found.field, label, row.model, row.cases, row.patients, row.few]
        for metric in say.METRICS:
            for one in (row.scores[metric], row.gaps[metric]):
                cells += [None, None, None] if one is None else [one.value, one.low, one.high]
        rows.append([*cells, row.real_medications, row.real_ddi_rate])
    return headings, rows
