"""Class by class: how common, how well found, how well calibrated, and the cases behind every count."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.parts import TableCell, View, csv, opens, table
from dashboard.report.csv_tables import Cell
from dashboard.shared import analysis_text as say
from dashboard.shared import markup, url_state, wording
from dashboard.shared.formatting import MISSING, count
from leader_core.error_analysis import ClassCounts, Reliability, classed

ORDERS: Final = {
    "prescribed": "Most often prescribed",
    "missed": "Most often missed",
    "extra": "Most often suggested in vain",
    "f1": "Lowest F1",
    "error": "Worst calibrated",
}
_FEW: Final = 20


def show(view: View) -> None:
    """The view: an order, and one row a class."""
    unit = wording.unit(view.service.engine.cohort.fingerprint.atc_level)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Order", list(ORDERS), format_func=ORDERS.__getitem__, width=260, **url_state.mirror("order")
        )
        st.text_input("Find", key="class_search", placeholder="Words or code", width=220)
    counts = counted(view)
    if not counts.cases:
        st.html(markup.empty("No case", f"{say.model(view.model)} has scored none of the chosen cases."))
        return
    bins = reliability(view)
    st.html(
        markup.panel_title(
            f"{say.model(view.model)}, {unit.one} by {unit.one}",
            f"{count(counts.cases, 'case')} at its own cut-off {view.desk.analysis.models[view.model].threshold:.2f}",
        )
    )
    places = _ordered(view, counts, bins)
    rows: list[list[TableCell]] = [_row(view, counts, bins, place) for place in places]
    if not rows:
        st.html(markup.empty(f"No {unit.one} fits", "Search for fewer letters."))
        return
    faint = frozenset(i for i, p in enumerate(places) if counts.prescribed[p] < _FEW)
    headings = [
        unit.one.capitalize(), "Prescribed", "Precision", "Recall", "F1", "Found", "Missed", "In vain",
        "Predicted", "Observed", "ECE",
    ]  # fmt: skip
    st.html(table(headings, rows, numeric=frozenset(range(1, 11)), faint=faint))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(
            markup.note(
                "Found, missed and in vain open their cases. Predicted is the mean probability, observed the share prescribed, "
                f"ECE the expected calibration error. Faint: prescribed in fewer than {_FEW} cases."
            ),
            width="content",
        )
        st.space("stretch")
        csv("classes", *csv_table(view, counts, bins))


def counted(view: View) -> ClassCounts:
    """What the model did with each class."""
    key = ("classes", view.model, view.key)
    return view.desk.kept(key, lambda: view.desk.analysis.class_counts(view.model, view.within))


def reliability(view: View, model: str | None = None) -> Reliability:
    """The bins of a model's probabilities, read once with its progress shown."""
    name = model or view.model

    def ask() -> Reliability:
        bar = st.progress(0.0, f"Reading the {say.model(name).lower()}'s probabilities…")
        try:
            return view.desk.analysis.reliability(name, view.within, lambda done: bar.progress(done))
        finally:
            bar.empty()

    return view.desk.kept(("reliability", name, view.key), ask)


def _ordered(view: View, counts: ClassCounts, bins: Reliability) -> list[int]:
    """Places of the classes that fit the search and occur at all, in the order chosen."""
    wanted = str(st.session_state.get("class_search") or "").lower().split()
    known = view.desk.analysis.known(view.model)
    places = [
        i
        for i, code in enumerate(view.desk.analysis.codes)
        if (counts.prescribed[i] or counts.chosen[i] or known[i])
        and all(word in f"{code} {view.title(code)}".lower() for word in wanted)
    ]
    keys = {
        "prescribed": -counts.prescribed,
        "missed": -counts.missed,
        "extra": -counts.extra,
        "f1": np.nan_to_num(counts.f1, nan=2.0),
        "error": -bins.error,
    }
    key = keys[st.session_state["order"]]
    return sorted(places, key=lambda i: (float(key[i]), i))


def _row(view: View, counts: ClassCounts, bins: Reliability, place: int) -> list[TableCell]:
    code = view.desk.analysis.codes[place]
    title = view.title(code)
    known = bool(view.desk.analysis.known(view.model)[place])
    model = view.model

    def linked(number: int, told: str, given: bool, chosen: bool) -> TableCell:
        return opens(view, number, f"{title} {told}", classed(code, [("prescribed", given), (model, chosen)]))

    said = [
        f"{bins.mean_predicted[place]:.2f}",
        f"{bins.mean_observed[place]:.2f}",
        f"{bins.error[place]:.3f}",
    ]
    return [
        f"{title} ({code})" if title != code else code,
        opens(
            view, int(counts.prescribed[place]), f"{title} prescribed", classed(code, [("prescribed", True)])
        ),
        _two(counts.precision[place]),
        _two(counts.recall[place]),
        _two(counts.f1[place]),
        linked(int(counts.hits[place]), "found", True, True),
        linked(int(counts.missed[place]), "missed", True, False),
        linked(int(counts.extra[place]), "suggested in vain", False, True),
        *(said if known else ["cannot name it", MISSING, MISSING]),
    ]


def _two(number: float) -> str:
    return MISSING if number != number else f"{number:.2f}"


def csv_table(view: View, counts: ClassCounts, bins: Reliability) -> tuple[list[str], list[list[Cell]]]:
    """Every class."""
    headings = [
        "code", "title", "cases", "prescribed", "prevalence", "suggested", "found", "missed", "in vain", "precision",
        "recall", "f1", "mean probability", "share prescribed", "calibration error",
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for i, code in enumerate(view.desk.analysis.codes):
        floats = (
            counts.precision[i],
            counts.recall[i],
            counts.f1[i],
            bins.mean_predicted[i],
            bins.mean_observed[i],
        )
        rows.append(
            [
                code, view.title(code), counts.cases, int(counts.prescribed[i]), float(counts.prevalence[i]),
                int(counts.chosen[i]), int(counts.hits[i]), int(counts.missed[i]), int(counts.extra[i]),
                *(None if v != v else float(v) for v in floats), float(bins.error[i]),
            ]
        )  # fmt: skip
    return headings, rows
