"""Every metric of every model over the chosen cases, then one metric by a field with its gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import SCORED, AnalysisContext, chart, few_note, model_cell
from dashboard.error_analysis.tables import (
    AnalysisTable,
    ColumnOf,
    TableCell,
    csv_row,
    metric_cell,
    number_cell,
    table_of,
)
from dashboard.server.analysis_cache import lookup
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, theme, url_state
from dashboard.shared.analysis import (
    FIELDS,
    LISTS,
    METRIC_MEANINGS,
    METRICS,
    field_value,
    format_estimate,
    format_gap,
    model_name,
)
from dashboard.shared.charts import UNFADED, color_mode, model_style, with_layout
from dashboard.shared.formatting import count, shortened, uncapitalized
from dashboard.shared.theme import Mode
from leader_core.error_analysis import (
    FEWEST,
    Bools,
    Condition,
    Grouping,
    GroupScores,
    MetricEstimate,
    Selection,
)
from leader_core.error_analysis import FIELDS as ALL_FIELDS

if TYPE_CHECKING:
    import plotly.graph_objects as go

OVERALL: Final = "overall"
_GAPS: Final = "Gaps are to the group with most cases, {reference}. {stars} A gap does not say why."
_STARS: Final = (
    "* The gap is more than chance would give, corrected for all gaps of this table (Benjamini and Hochberg: at most 5 % "
    "of the stars are expected to be chance)."
)
_NO_STARS: Final = "No gap of this table is more than chance would give, corrected for all of them (Benjamini and Hochberg, 5 %)."


def draw(context: AnalysisContext) -> None:
    """All chosen cases, what to group by, the chart, the table."""
    st.html(markup.panel_title("All chosen cases", "95 % intervals over resampled patients"))
    st.html(overall_table(context).html())
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        options = [*(f for f in ALL_FIELDS if f in context.analysis.frame.columns), LISTS]
        st.selectbox("Group by", options, format_func=_label, width=240, **url_state.mirror("by"))
    field = st.session_state["by"]
    grouping = grouping_by(context, field)
    st.html(
        markup.panel_title(
            f"{METRICS[context.metric]} by {uncapitalized(_label(field))}", METRIC_MEANINGS[context.metric]
        )
    )
    if not grouping.rows:
        st.html(
            markup.empty(
                "No saved lists", "Save a list on the Patients page; it appears here as a group of its own."
            )
        )
        return
    chart(
        context,
        figure(context, field, grouping, color_mode()),
        f"groups-{field}-{context.metric}-{context.model}-{context.other}-{context.selection.text}",
        f"{METRICS[context.metric]} by {_label(field)}, {count(len(grouping.rows), 'row')}",
    )
    table = group_table(context, field, grouping)
    st.html(table.html())
    csv_row(f"by-{field}", lambda: table, few_note(FEWEST) if table.few else "")
    stars = _STARS if grouping.beyond_chance(context.metric) else _NO_STARS
    reference = group_name(context, field, grouping.reference)
    st.html(markup.note(_GAPS.format(reference=reference, stars=stars)))


def _label(field: str) -> str:
    return "Saved lists" if field == LISTS else FIELDS[field]


def overall_table(context: AnalysisContext) -> AnalysisTable:
    """Models down, metrics across; what was ordered last."""
    names = list(context.analysis.models)
    grouping = context.cached(
        (OVERALL, tuple(names)), lambda a: a.by_masks(OVERALL, names, {OVERALL: context.within})
    )
    scored = next((row for row in grouping.rows if row.cases), None)

    def metric(name: str) -> Callable[[GroupScores | None], TableCell]:
        def cell(row: GroupScores | None) -> TableCell:
            if row is not None:
                return _estimate_cell(name, row.scores[name], row.few)
            real = (
                {"medications": scored.real_medications, "ddi_rate": scored.real_ddi_rate} if scored else {}
            )
            return metric_cell(name, real.get(name))

        return cell

    def cases(row: GroupScores | None) -> int | None:
        row = row or scored
        return row.cases if row else None

    return table_of(
        [*grouping.rows, *([None] if scored else [])],  # None: the orders themselves
        [
            ("Model", "", lambda row: model_cell(row.model if row else "prescribed")),
            ("Cases", "", cases),
            *((METRICS[name], "", metric(name)) for name in METRICS),
        ],
    )


def grouping_by(context: AnalysisContext, field: str) -> Grouping:
    """The metrics of both models by a field, or by saved list."""
    models = context.models
    if field == LISTS:
        return context.analysis.by_masks(field, models, _lists(context))
    return context.cached(("by", field, tuple(models)), lambda a: a.by(field, models, context.within))


def _lists(context: AnalysisContext) -> Mapping[str, Bools]:
    """Saved lists by id, as masks over the chosen cases; all chosen cases first."""
    find = lookup(context.service)
    masks = {
        saved.cohort_id: context.within
        & context.analysis.mask(Selection((Condition("list", (saved.cohort_id,)),)), find)
        for saved in get_workspace(context.service).cohorts()
    }
    return {OVERALL: context.within, **masks} if masks else {}


def group_name(context: AnalysisContext, field: str, group: str) -> str:
    """A group in words."""
    if field != LISTS:
        return field_value(field, group)
    return "All chosen cases" if group == OVERALL else context.named("list", group)


def _condition(context: AnalysisContext, field: str, group: str) -> Condition:
    """What chooses a group's cases."""
    if field == LISTS:
        return Condition("list", (group,)) if group != OVERALL else SCORED
    return Condition("is", (field,), context.analysis.column(field).values.index(group))


def group_table(context: AnalysisContext, field: str, grouping: Grouping) -> AnalysisTable:
    """One row per group and model: the chosen metric; in the CSV every metric with interval and gap."""
    metric = context.metric
    stars = grouping.beyond_chance(metric)
    reference_few = all(row.few for row in grouping.rows if row.group == grouping.reference)

    def cases(row: GroupScores) -> TableCell:
        conditions = [_condition(context, field, row.group)]
        if not bool(
            np.all(context.analysis.metrics(row.model).scored)
        ):  # the count holds those that it has scored
            conditions.append(Condition("score", ("jaccard", row.model, "ge"), 0))
        return context.opens(row.cases, group_name(context, field, row.group), *conditions)

    def gap(row: GroupScores) -> TableCell:
        if row.group == grouping.reference:
            return TableCell(None, "reference")
        star = (row.group, row.model) in stars
        return TableCell(None, format_gap(metric, row.gaps[metric], few(row), star))

    def few(row: GroupScores) -> bool:
        return row.few or reference_few

    return table_of(
        grouping.rows,
        [
            ("", "field", lambda _: grouping.field),
            ("Group", "group", lambda row: group_name(context, field, row.group)),
            ("Model", "model", lambda row: model_cell(row.model)),
            ("Cases", "cases", cases),
            ("", "patients", lambda row: row.patients),
            ("", "few cases", lambda row: row.few),
            (METRICS[metric], "", lambda row: _estimate_cell(metric, row.scores[metric], row.few)),
            ("Gap to the largest", "", gap),
            *(column for name in METRICS for column in _metric_columns(name)),
            (
                "Classes ordered",
                "ordered classes",
                lambda row: metric_cell("medications", row.real_medications),
            ),
            ("", "ordered interaction rate", lambda row: metric_cell("ddi_rate", row.real_ddi_rate)),
        ],
        few=lambda row: row.few,
    )


def _metric_columns(metric: str) -> list[ColumnOf]:
    """Value, low and high of a metric and of its gap, for the CSV."""

    def part(of_gap: bool, bound: str) -> Callable[[GroupScores], TableCell]:
        def cell(row: GroupScores) -> TableCell:
            estimate = (row.gaps if of_gap else row.scores)[metric]
            hidden = estimate is None or (row.few and (of_gap or bound != "value"))
            value = None if hidden else getattr(estimate, bound)
            return number_cell(value, ".4f") if bound == "p" else metric_cell(metric, value)

        return cell

    bounds = [(False, bound) for bound in ("value", "low", "high")]
    bounds += [(True, bound) for bound in ("value", "low", "high", "p")]
    return [
        (
            "",
            f"{metric}{' gap' if of_gap else ''}{'' if bound == 'value' else ' ' + bound}",
            part(of_gap, bound),
        )
        for of_gap, bound in bounds
    ]


def _estimate_cell(metric: str, estimate: MetricEstimate | None, few: bool = False) -> TableCell:
    return TableCell(estimate.value if estimate else None, format_estimate(metric, estimate, few))


def figure(context: AnalysisContext, field: str, grouping: Grouping, mode: Mode) -> go.Figure:
    """The metric by group: one row per group, one point with its interval per model. Groups of few cases are hollow."""
    import plotly.graph_objects as go

    models, metric = context.models, context.metric
    groups = list(dict.fromkeys(row.group for row in grouping.rows))
    row_of = {group: i for i, group in enumerate(groups)}
    chart = go.Figure()
    for number, model in enumerate(models):
        rows = [(r, e) for r in grouping.rows if r.model == model and (e := r.scores[metric]) is not None]
        if not rows:
            continue
        colour, symbol = model_style(model, models, mode)
        offset = (number - (len(models) - 1) / 2) * -0.26
        chart.add_scatter(
            x=[e.value for _, e in rows],
            y=[row_of[r.group] - offset for r, _ in rows],
            customdata=[[_condition(context, field, r.group).text] for r, _ in rows],
            text=[_hover(r, metric, group_name(context, field, r.group)) for r, _ in rows],
            hoverinfo="text",
            mode="markers",
            name=model_name(model),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [0 if r.few else e.high - e.value for r, e in rows],
                "arrayminus": [0 if r.few else e.value - e.low for r, e in rows],
                "color": colour,
                "thickness": 1.6,
                "width": 4,
            },
            marker={
                "symbol": [f"{symbol}-open" if r.few else symbol for r, _ in rows],
                "size": 11,
                "color": colour,
                "line": {"width": 1.5, "color": colour},
            },
            **UNFADED,
        )
    cases = {row.group: row.cases for row in reversed(grouping.rows)}
    with_layout(chart, mode, 70 + 44 * max(1, len(groups)), showlegend=len(models) > 1)
    ink, muted = theme.COLOURS["ink"].of(mode), theme.COLOURS["muted"].of(mode)
    chart.update_yaxes(
        tickmode="array",
        tickvals=list(row_of.values()),
        ticktext=[f"{shortened(group_name(context, field, g), 30)}  ({cases[g]:,})" for g in groups],
        range=[len(groups) - 0.5, -0.5],
        tickfont={"size": 13, "color": ink},
        showgrid=False,
    )
    chart.update_xaxes(title={"text": METRICS[metric], "font": {"color": muted, "size": 13}}, side="bottom")
    return chart


def _hover(row: GroupScores, metric: str, name: str) -> str:
    few = "<br>few cases: says little" if row.few else ""
    return (
        f"<b>{name}</b><br>{model_name(row.model)}: {METRICS[metric]} "
        f"{format_estimate(metric, row.scores[metric], row.few)}<br>{row.cases:,} cases{few}"
    )
