"""Two models against each other: whose set is nearer to the orders, case by case and class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import AnalysisContext, chart
from dashboard.error_analysis.tables import AnalysisTable, ColumnOf, TableCell, csv_row, table_of
from dashboard.shared import markup, theme
from dashboard.shared.analysis import model_name
from dashboard.shared.charts import add_squares, color_mode, shade, with_layout
from dashboard.shared.formatting import MISSING, count, percent
from dashboard.shared.theme import Mode
from leader_core.error_analysis import Condition, ModelAgreement, Selection, classed

if TYPE_CHECKING:
    import plotly.graph_objects as go

BINS: Final = 10
_MARGIN: Final = 0.1
_FIRST: Final = 25
"""Classes that are shown before somebody asks for all."""
_MORE: Final = "_more_classes"
_STATES: Final = tuple((t, a, b) for t in (1, 0) for a in (1, 0) for b in (1, 0))
"""Ordered, chosen by the first, chosen by the second."""


def draw(context: AnalysisContext) -> None:
    """By case, over all orders, by class."""
    if context.other is None and len(context.analysis.models) > 1:
        st.html(markup.empty("Nothing to compare with", "Choose another model under Compared with."))
        return
    if context.other is None:
        st.html(
            markup.empty(
                "Only one model's scores are stored",
                "Store another one's: python -m train scores --cohort FILE --add NAME=FILE.parquet",
            )
        )
        return
    agreement = model_agreement(context)
    _by_case(context, agreement.first, agreement.second)
    st.html(markup.panel_title("Over all orders", "each at its own cut-off"))
    st.html(total_table(agreement).html())
    st.html(markup.panel_title("By class", "the largest difference first; every count opens its cases"))
    indices = _by_gap(agreement)
    most = len(indices) if st.session_state.get(_MORE) else _FIRST
    st.html(class_table(context, agreement, indices[:most]).html())
    if len(indices) > most:
        st.button(f"Show all {len(indices)} classes", key="pair-more", on_click=st.session_state.update,
                  args=({_MORE: True},))  # fmt: skip
    csv_row("two-models", lambda: class_table(context, agreement, range(len(context.analysis.codes))))


def model_agreement(context: AnalysisContext) -> ModelAgreement:
    """Both models on each class."""
    first, second = context.models
    return context.cached(("agreement", first, second), lambda a: a.agreement(first, second, context.within))


def _by_case(context: AnalysisContext, first: str, second: str) -> None:
    """How many cases have which pair of Jaccards, and which model is better."""
    grid = jaccard_grid(context, first, second)
    st.html(
        markup.panel_title(
            "By case", f"Jaccard of both models in tenths; {count(int(grid.sum()), 'case')} scored by both"
        )
    )
    if not grid.any():
        st.html(markup.empty("No case", "No chosen case has been scored by both models."))
        return
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        chart(
            context,
            figure(grid, first, second, color_mode()),
            f"pair-{first}-{second}-{context.selection.text}",
            f"Cases by the Jaccard of {model_name(first)} and {model_name(second)}",
            wide=True,
        )
    with right:
        st.html(nearer_table(context, first, second).html())


def jaccard_grid(context: AnalysisContext, first: str, second: str) -> np.ndarray:
    """(BINS, BINS) cases by the tenth that the first's (down) and the second's (across) Jaccard lies in."""
    a, b = (context.analysis.metrics(name).jaccard for name in (first, second))
    both = context.within & ~np.isnan(a) & ~np.isnan(b)
    # Nudged, so that 0.3 in 32 bits lies in the tenth that begins there, as the condition has it.
    at = [
        np.minimum(np.floor(v[both].astype(np.float64) * BINS + 1e-6).astype(np.int64), BINS - 1)
        for v in (a, b)
    ]
    return np.bincount(at[0] * BINS + at[1], minlength=BINS * BINS).reshape(BINS, BINS)


def _conditions(tenths: tuple[int, int], models: tuple[str, str]) -> Selection:
    """The cases of a cell of the grid."""
    conditions: list[Condition] = []
    for name, at in zip(models, tenths, strict=True):
        conditions.append(Condition("score", ("jaccard", name, "ge"), at / BINS))
        if at < BINS - 1:
            conditions.append(Condition("score", ("jaccard", name, "lt"), (at + 1) / BINS))
    return Selection(tuple(conditions))


def nearer_table(context: AnalysisContext, first: str, second: str) -> AnalysisTable:
    """How many cases one model is clearly better on, or both are bad on."""
    one, other = model_name(first), model_name(second)
    rows = [
        (f"{one} better by more than {_MARGIN}", [Condition("better", (first, second), _MARGIN)]),
        (f"{other} better by more than {_MARGIN}", [Condition("better", (second, first), _MARGIN)]),
        ("Both below 0.3", [Condition("score", ("jaccard", name, "lt"), 0.3) for name in (first, second)]),
    ]

    def cases(row: tuple[str, list[Condition]]) -> TableCell:
        text, conditions = row
        number = int((context.within & context.analysis.mask(Selection(tuple(conditions)))).sum())
        return context.opens(number, text, *conditions)

    return table_of(
        rows, [("Who is nearer to what was ordered", "", lambda row: row[0]), ("Cases", "", cases)]
    )


def total_table(agreement: ModelAgreement) -> AnalysisTable:
    """Of what was ordered: suggested by both, by one, by neither."""
    one, other = model_name(agreement.first), model_name(agreement.second)
    distilled = (agreement.first, agreement.second) == ("teacher", "student")
    given, not_given = agreement.counts[:, 1].sum(0), agreement.counts[:, 0].sum(0)
    total = max(1, int(given.sum()))
    rows = [
        ("Both", (1, 1)),
        (f"{one} only" + (" (lost in distillation)" if distilled else ""), (1, 0)),
        (f"{other} only" + (" (gained)" if distilled else ""), (0, 1)),
        ("Neither", (0, 0)),
    ]

    def extra(row: tuple[str, tuple[int, int]]) -> TableCell:
        number = int(not_given[row[1]])
        return TableCell(None, f"{number:,}" if any(row[1]) else MISSING)

    return table_of(
        rows,
        [
            ("Suggested by", "", lambda row: row[0]),
            ("Ordered", "", lambda row: int(given[row[1]])),
            ("Of the ordered", "", lambda row: TableCell(None, percent(int(given[row[1]]) / total))),
            ("Not ordered", "", extra),
        ],
    )


def _by_gap(agreement: ModelAgreement) -> list[int]:
    """Places of the classes that occur at all, those with the largest difference first."""
    gap, counts = _gap(agreement), agreement.counts
    used = [i for i in range(len(gap)) if counts[i, 1].any() or counts[i, 0, 1].any() or counts[i, 0, 0, 1]]
    return sorted(used, key=lambda i: (-abs(int(gap[i])), i))


def _gap(agreement: ModelAgreement) -> np.ndarray:
    """(A,) how many more cases the first is right in."""
    return agreement.right[agreement.first] - agreement.right[agreement.second]


def class_table(context: AnalysisContext, agreement: ModelAgreement, indices: Sequence[int]) -> AnalysisTable:
    """One row per class, at these indices, with its eight counts."""
    codes, gap = context.analysis.codes, _gap(agreement)
    first, second = agreement.first, agreement.second
    one, other = model_name(first), model_name(second)
    headings = {
        (1, 1, 1): "Found by both",
        (1, 1, 0): f"{one} only",
        (1, 0, 1): f"{other} only",
        (1, 0, 0): "Missed by both",
        (0, 1, 0): f"Extra: {one} only",
        (0, 0, 1): f"Extra: {other} only",
    }

    def column(state: tuple[int, int, int]) -> ColumnOf:
        t, a, b = state
        heading = headings.get(state, "")
        csv = (
            f"{'ordered' if t else 'not ordered'}, {first} {'yes' if a else 'no'}, "
            f"{second} {'yes' if b else 'no'}"
        )
        who = [("prescribed", bool(t)), (first, bool(a)), (second, bool(b))]

        def cell(index: int) -> TableCell:
            number = int(agreement.counts[index][state])
            text = f"{context.title(codes[index])}, {heading.lower()}"
            return context.opens(number, text, classed(codes[index], who))

        return heading, csv, cell

    return table_of(
        indices,
        [
            ("", "code", lambda i: codes[i]),
            ("", "title", lambda i: context.title(codes[i])),
            ("Class", "", lambda i: context.titled(codes[i])),
            ("Ordered", "", lambda i: int(agreement.counts[i][1].sum())),
            *map(column, _STATES),
            (f"{one} right more often", "", lambda i: TableCell(None, f"{int(gap[i]):+,}".replace("-", "−"))),
        ],
    )


def figure(grid: np.ndarray, first: str, second: str, mode: Mode) -> go.Figure:
    """`grid[i, j]`: cases with the first's Jaccard in tenth i, the second's in tenth j.

    Above the diagonal the first is better, below it the second.
    """
    import plotly.graph_objects as go

    chart = go.Figure()
    size = len(grid)
    line = theme.COLOURS["line-strong"].of(mode)
    chart.add_shape(type="line", x0=-0.5, y0=-0.5, x1=size - 0.5, y1=size - 0.5,
                    line={"color": line, "dash": "dash", "width": 1.5}, layer="below")  # fmt: skip
    cells: list[tuple[int, int]] = [(i, j) for i, j in np.argwhere(grid).tolist()]
    most = float(np.sqrt(grid.max(initial=1)))
    add_squares(
        chart,
        cells,
        texts=[f"{grid[at]:,}" if grid[at] < 10_000 else f"{grid[at] / 1000:.0f}k" for at in cells],
        hover=[
            f"{model_name(first)} {i / size:.1f} to {(i + 1) / size:.1f}<br>"
            f"{model_name(second)} {j / size:.1f} to {(j + 1) / size:.1f}<br>{grid[i, j]:,} cases"
            for i, j in cells
        ],
        customdata=[_conditions(at, (first, second)).text for at in cells],
        colours=[shade(float(np.sqrt(grid[at])), 0.0, most, mode) for at in cells],
        size=36,
        letters=11,
    )
    with_layout(chart, mode, 470, width=520, showlegend=False)
    muted = theme.COLOURS["muted"].of(mode)
    ticks = {"tickmode": "array", "tickvals": [i - 0.5 for i in range(0, size + 1, 2)],
             "ticktext": [f"{i / size:.1f}" for i in range(0, size + 1, 2)], "showgrid": False,
             "range": [-0.5, size - 0.5]}  # fmt: skip
    chart.update_xaxes(
        title={"text": f"{model_name(second)}'s Jaccard", "font": {"color": muted, "size": 13}}, **ticks
    )
    chart.update_yaxes(
        title={"text": f"{model_name(first)}'s Jaccard", "font": {"color": muted, "size": 13}}, **ticks
    )
    return chart
