"""Class by class: how common, how well predicted, how well calibrated, and the cases behind every count."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import streamlit as st

from dashboard.error_analysis import cross_filter
from dashboard.error_analysis.context import AnalysisContext, show_chosen
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, number_cell, table_of
from dashboard.shared import markup, wording
from dashboard.shared.analysis import model_name
from dashboard.shared.formatting import MISSING, count, cut_off
from leader_core.error_analysis import ClassCounts, Condition, Reliability, classed

_FEW: Final = 20
ROW: Final = 58  # pixels: above four times the letter size Streamlit wraps a long name


def draw(context: AnalysisContext) -> None:
    """All classes, the worst first, and the cases of one."""
    unit = wording.unit(context.service.engine.cohort.fingerprint.atc_level)
    counts, model = class_counts(context), model_name(context.model)
    if not counts.cases:
        st.html(markup.empty("No case", f"{model} has scored none of the chosen cases."))
        return
    bins = reliability(context)
    indices = worst_first(context, counts)
    threshold = context.analysis.models[context.model].threshold
    st.html(
        markup.panel_title(
            f"{model}, {unit.one} by {unit.one}",
            f"{count(counts.cases, 'case')} at its own cut-off {cut_off(threshold)}; worst first, a heading sorts",
        )
    )
    chosen = _draw_bars(context, counts, bins, indices, unit.one.capitalize())
    st.html(markup.panel_title(context.titled(context.analysis.codes[chosen]), "its counts open their cases"))
    st.html(table(context, counts, bins, [chosen], unit.one.capitalize()).html())
    csv_row(
        "classes",
        lambda: table(context, counts, bins, range(len(context.analysis.codes))),
        "Worst first: the lowest F1 among those ordered in at least "
        f"{_FEW} cases, then the rest. Extra: suggested but not ordered. ECE: the expected calibration error.",
    )


def _draw_bars(
    context: AnalysisContext, counts: ClassCounts, bins: Reliability, indices: Sequence[int], heading: str
) -> int:
    """All classes with bars, sorted by a heading; gives the class chosen, at first the worst."""
    import pandas as pd  # slow to import, and not needed at start-up

    frame = pd.DataFrame(
        {
            heading: list(map(context.titled, context.analysis.codes)),
            "Ordered": counts.prescribed,
            "Missed": counts.missed,
            "Extra": counts.extra,
            "Recall": counts.recall,
            "Precision": counts.precision,
            "F1": counts.f1,
            "ECE": np.where(context.analysis.known(context.model), bins.error, np.nan),
        }
    )
    columns = {
        heading: st.column_config.TextColumn(width=190),
        "Ordered": st.column_config.NumberColumn(format="localized"),
        "Missed": _bar("%d", int(counts.missed.max(initial=1)), "ordered, not suggested"),
        "Extra": _bar("%d", int(counts.extra.max(initial=1)), "suggested, not ordered"),
        "Recall": _bar("%.2f", 1.0, "share of the orders that is suggested"),
        "Precision": _bar("%.2f", 1.0, "share of the suggestions that was ordered"),
        "F1": _bar("%.2f", 1.0, "harmonic mean of precision and recall"),
        "ECE": st.column_config.NumberColumn(format="%.3f", help="expected calibration error"),
    }
    key = cross_filter.chart_key(f"classes-{context.model}-{zlib.crc32(context.key.encode())}")

    def take() -> None:
        cells = st.session_state[key].selection.cells
        cross_filter.choose(cell_conditions(context, indices, cells[0]) if cells else ())

    event: Any = st.dataframe(
        frame.iloc[list(indices)],
        key=key,
        hide_index=True,
        height=min(676, 38 + ROW * len(indices)),
        row_height=ROW,
        column_config=columns,
        on_select=take,
        selection_mode="single-cell",
    )
    show_chosen(
        context, "Click a number under Ordered, Missed or Extra: every other view then shows its cases alone."
    )
    cells = event.selection.cells if event and event.selection else []
    if cells and cells[0][0] < len(indices):
        return indices[cells[0][0]]
    linked = {each.names[0] for each in context.chosen.conditions if each.kind == "class"}
    return next((i for i in indices if context.analysis.codes[i] in linked), indices[0])


def cell_conditions(
    context: AnalysisContext, indices: Sequence[int], cell: tuple[int, str]
) -> tuple[Condition, ...]:
    """What a click on a cell (its row, its heading) selects: the cases that it counts; of other cells nothing."""
    who = {
        "Ordered": [("prescribed", True)],
        "Missed": [("prescribed", True), (context.model, False)],
        "Extra": [("prescribed", False), (context.model, True)],
    }.get(cell[1])
    if who is None or cell[0] >= len(indices):
        return ()
    return (classed(context.analysis.codes[indices[cell[0]]], who),)


def _bar(form: str, most: float, meaning: str) -> Any:
    return st.column_config.ProgressColumn(format=form, min_value=0, max_value=most, help=meaning)


def worst_first(context: AnalysisContext, counts: ClassCounts) -> list[int]:
    """Places of the classes that occur or can be named: the lowest F1 of those ordered often enough, then the others."""
    known = context.analysis.known(context.model)
    used = [i for i in range(len(known)) if counts.prescribed[i] or counts.chosen[i] or known[i]]
    f1 = np.nan_to_num(counts.f1, nan=2.0)
    return sorted(
        used, key=lambda i: (counts.prescribed[i] < _FEW, float(f1[i]), -int(counts.prescribed[i]), i)
    )


def class_counts(context: AnalysisContext) -> ClassCounts:
    """What the model did with each class."""
    model = context.model
    return context.cached(("classes", model), lambda a: a.class_counts(model, context.within))


def reliability(context: AnalysisContext, model: str | None = None) -> Reliability:
    """The bins of a model's probabilities, read once."""
    name = model or context.model
    return context.with_progress(
        ("reliability", name),
        f"Reading the {model_name(name).lower()}'s probabilities…",
        lambda progress: context.analysis.reliability(name, context.within, progress),
    )


def table(
    context: AnalysisContext,
    counts: ClassCounts,
    bins: Reliability,
    indices: Sequence[int],
    heading: str = "Class",
) -> AnalysisTable:
    """One row per class, at these indices."""
    codes, model = context.analysis.codes, context.model
    known = context.analysis.known(model)

    def opens(index: int, number: int, text: str, *who: tuple[str, bool]) -> TableCell:
        return context.opens(number, f"{context.title(codes[index])} {text}", classed(codes[index], who))

    def opens_choice(index: int, number: int, text: str, given: bool, chosen: bool) -> TableCell:
        return opens(index, number, text, ("prescribed", given), (model, chosen))

    def predicted(index: int) -> TableCell:
        cell = number_cell(float(bins.mean_predicted[index]))
        return cell if known[index] else TableCell(cell.value, "cannot name it")

    def error(index: int) -> TableCell:
        value = float(bins.error[index])
        return TableCell(value, f"{value:.3f}" if known[index] else MISSING)

    return table_of(
        indices,
        [
            ("", "code", lambda i: codes[i]),
            ("", "title", lambda i: context.title(codes[i])),
            (heading, "", lambda i: context.titled(codes[i])),
            ("", "cases", lambda _: counts.cases),
            ("Ordered", "ordered", lambda i: opens(i, int(counts.prescribed[i]), "ordered", ("prescribed", True))),
            ("", "prevalence", lambda i: number_cell(float(counts.prevalence[i]))),
            ("", "suggested", lambda i: int(counts.chosen[i])),
            ("Found", "found", lambda i: opens_choice(i, int(counts.hits[i]), "found", True, True)),
            ("Missed", "missed", lambda i: opens_choice(i, int(counts.missed[i]), "missed", True, False)),
            ("Extra", "extra", lambda i: opens_choice(i, int(counts.extra[i]), "suggested, not ordered", False, True)),
            ("Precision", "precision", lambda i: number_cell(float(counts.precision[i]))),
            ("Recall", "recall", lambda i: number_cell(float(counts.recall[i]))),
            ("F1", "f1", lambda i: number_cell(float(counts.f1[i]))),
            ("Predicted", "mean probability", predicted),
            ("Observed", "share ordered", lambda i: number_cell(float(bins.mean_observed[i]))),
            ("ECE", "calibration error", error),
        ],
        few=lambda i: bool(counts.prescribed[i] < _FEW),
    )  # fmt: skip
