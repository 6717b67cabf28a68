"""Class by class: how common, how well predicted, how well calibrated, and the cases behind every count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.tables import (
    AnalysisSection,
    AnalysisTable,
    TableCell,
    csv_row,
    number_cell,
    table_of,
)
from dashboard.shared import markup, url_state, wording
from dashboard.shared.analysis_text import model_name
from dashboard.shared.formatting import MISSING, count
from leader_core.error_analysis import ClassCounts, Reliability, classed

ORDERS: Final = {
    "prescribed": "Most often prescribed",
    "missed": "Most often missed",
    "extra": "Most often suggested but not prescribed",
    "f1": "Lowest F1",
    "error": "Worst calibrated",
}
_FEW: Final = 20
_MOST_IN_REPORT: Final = 40


def draw(context: AnalysisContext) -> None:
    """An order, a search, and one row per class."""
    unit = wording.unit(context.service.engine.cohort.fingerprint.atc_level)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Order", list(ORDERS), format_func=ORDERS.__getitem__, width=260, **url_state.mirror("order")
        )
        st.text_input("Find", key="class_search", placeholder="Words or code", width=220)
    counts, model = class_counts(context), model_name(context.model)
    if not counts.cases:
        st.html(markup.empty("No case", f"{model} has scored none of the chosen cases."))
        return
    bins = reliability(context)
    threshold = context.analysis.models[context.model].threshold
    st.html(
        markup.panel_title(
            f"{model}, {unit.one} by {unit.one}",
            f"{count(counts.cases, 'case')} at its own cut-off {threshold:.2f}",
        )
    )
    indices = _ordered(context, counts, bins)
    if not indices:
        st.html(markup.empty(f"No {unit.one} matches", "Search for fewer letters."))
        return
    st.html(table(context, counts, bins, indices, unit.one.capitalize()).html())
    csv_row(
        "classes",
        lambda: table(context, counts, bins, range(len(context.analysis.codes))),
        "Extra: suggested but not prescribed. Found, missed and extra open their cases. Predicted is the mean "
        "probability, observed the share prescribed, "
        f"ECE the expected calibration error. Faint: prescribed in fewer than {_FEW} cases.",
    )


def sections(context: AnalysisContext) -> list[AnalysisSection]:
    """The classes most often prescribed."""
    counts, bins = class_counts(context), reliability(context)
    order = np.argsort(-counts.prescribed, kind="stable")[:_MOST_IN_REPORT].tolist()
    indices = [index for index in order if counts.prescribed[index]]
    text = (
        f"The {model_name(context.model).lower()} at its own cut-off; the {_MOST_IN_REPORT} classes most often "
        f"prescribed; italic rows are prescribed in fewer than {_FEW} cases"
    )
    return [AnalysisSection("Class by class", text, table(context, counts, bins, indices))]


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


def _ordered(context: AnalysisContext, counts: ClassCounts, bins: Reliability) -> list[int]:
    """Places of the classes that match the search and occur at all, in the order chosen."""
    words = str(st.session_state.get("class_search") or "").lower().split()
    known = context.analysis.known(context.model)
    indices = [
        i
        for i, code in enumerate(context.analysis.codes)
        if (counts.prescribed[i] or counts.chosen[i] or known[i])
        and all(word in f"{code} {context.title(code)}".lower() for word in words)
    ]
    keys = {
        "prescribed": -counts.prescribed,
        "missed": -counts.missed,
        "extra": -counts.extra,
        "f1": np.nan_to_num(counts.f1, nan=2.0),
        "error": -bins.error,
    }
    key = keys[st.session_state["order"]]
    return sorted(indices, key=lambda i: (float(key[i]), i))


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
            ("Prescribed", "prescribed", lambda i: opens(i, int(counts.prescribed[i]), "prescribed", ("prescribed", True))),
            ("", "prevalence", lambda i: number_cell(float(counts.prevalence[i]))),
            ("", "suggested", lambda i: int(counts.chosen[i])),
            ("Found", "found", lambda i: opens_choice(i, int(counts.hits[i]), "found", True, True)),
            ("Missed", "missed", lambda i: opens_choice(i, int(counts.missed[i]), "missed", True, False)),
            ("Extra", "in vain", lambda i: opens_choice(i, int(counts.extra[i]), "suggested, not prescribed", False, True)),
            ("Precision", "precision", lambda i: number_cell(float(counts.precision[i]))),
            ("Recall", "recall", lambda i: number_cell(float(counts.recall[i]))),
            ("F1", "f1", lambda i: number_cell(float(counts.f1[i]))),
            ("Predicted", "mean probability", predicted),
            ("Observed", "share prescribed", lambda i: number_cell(float(bins.mean_observed[i]))),
            ("ECE", "calibration error", error),
        ],
        few=lambda i: bool(counts.prescribed[i] < _FEW),
    )  # fmt: skip
