"""Two models against each other: whose set is nearer to the prescription, case by case and class by class."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.parts import TableCell, View, chart, csv, mode, opens, table
from dashboard.report.csv_tables import Cell
from dashboard.shared import analysis_text as say
from dashboard.shared import markup
from dashboard.shared.formatting import count
from leader_core.error_analysis import Condition, ModelAgreement, Selection, classed

BINS: Final = 10
_MARGIN: Final = 0.1


def show(view: View) -> None:
    """The view."""
    if view.beside is None:
        st.html(
            markup.empty(
                "Only one model's scores are stored",
                "Store another beside it: python -m train scores --cohort FILE --add NAME=FILE.parquet",
            )
        )
        return
    first, second = view.models
    crossed = crossed_of(view)
    _by_case(view, first, second)
    _kept(view, crossed)
    _by_class(view, crossed)


def crossed_of(view: View) -> ModelAgreement:
    """Both models on each class."""
    first, second = view.models
    key = ("crossed", first, second, view.key)
    return view.desk.kept(key, lambda: view.desk.analysis.agreement(first, second, view.within))


def _by_case(view: View, first: str, second: str) -> None:
    """How many cases have which pair of Jaccards, and who is ahead."""
    grid = jaccard_grid(view, first, second)
    one, other = say.model(first), say.model(second)
    st.html(
        markup.panel_title(
            "By case", f"Jaccard of both models in tenths; {count(int(grid.sum()), 'case')} scored by both"
        )
    )
    if not grid.any():
        st.html(markup.empty("No case", "No chosen case has been scored by both models."))
        return
    ahead, behind = (
        Condition("better", (first, second), _MARGIN),
        Condition("better", (second, first), _MARGIN),
    )
    analysis = view.desk.analysis
    numbers = [int((view.within & analysis.mask(Selection((c,)))).sum()) for c in (ahead, behind)]
    low = [Condition("score", ("jaccard", name, "lt"), 0.3) for name in (first, second)]
    both = int((view.within & analysis.mask(Selection(tuple(low)))).sum())
    rows: list[list[TableCell]] = [
        [f"{one} ahead by more than {_MARGIN}", opens(view, numbers[0], f"{one} ahead", ahead)],
        [f"{other} ahead by more than {_MARGIN}", opens(view, numbers[1], f"{other} ahead", behind)],
        ["Both below 0.3", opens(view, both, "both below 0.3", *low)],
    ]
    from dashboard.error_analysis.two_models_chart import figure

    left, right = st.columns([1.25, 1], gap="large")
    with left:
        chart(
            view,
            figure(grid, first, second, mode()),
            f"pair-{first}-{second}-{view.text}",
            f"Cases by the Jaccard of {one} and {other}",
            conditions=lambda data: _cell(view, data),
            wide=True,
        )
    with right:
        st.html(table(["Who is nearer to what was prescribed", "Cases"], rows, numeric=frozenset((1,))))


def jaccard_grid(view: View, first: str, second: str) -> np.ndarray:
    """(BINS, BINS) cases by the tenth that the first's (down) and the second's (across) Jaccard lies in."""
    a, b = (view.desk.analysis.metrics(name).jaccard for name in (first, second))
    both = view.within & ~np.isnan(a) & ~np.isnan(b)
    # Nudged, so that 0.3 in 32 bits lies in the tenth that begins there, as the condition has it.
    at = [
        np.minimum(np.floor(v[both].astype(np.float64) * BINS + 1e-6).astype(np.int64), BINS - 1)
        for v in (a, b)
    ]
    return np.bincount(at[0] * BINS + at[1], minlength=BINS * BINS).reshape(BINS, BINS)


def _cell(view: View, data: object) -> tuple[str, list[Condition]] | None:
    a, _, b = str(data).partition("|")
    if not (a.isdecimal() and b.isdecimal() and int(a) < BINS and int(b) < BINS):
        return None
    conditions: list[Condition] = []
    told = []
    for name, at in zip(view.models, (int(a), int(b)), strict=True):
        low, high = at / BINS, (at + 1) / BINS
        conditions.append(Condition("score", ("jaccard", name, "ge"), low))
        if at < BINS - 1:
            conditions.append(Condition("score", ("jaccard", name, "lt"), high))
        told.append(f"{say.model(name)} {low:.1f} to {high:.1f}")
    return ", ".join(told), conditions


def _kept(view: View, found: ModelAgreement) -> None:
    """Of what was prescribed: found by both, by one, by neither."""
    one, other = say.model(found.first), say.model(found.second)
    distilled = (found.first, found.second) == ("teacher", "student")
    given = found.counts[:, 1].sum(0)
    wrong = found.counts[:, 0].sum(0)
    total = max(1, int(given.sum()))

    def line(label: str, hits: int, vain: int) -> list[TableCell]:
        return [label, f"{hits:,}", f"{hits / total:.0%}", f"{vain:,}"]

    rows: list[list[TableCell]] = [
        line("Both", int(given[1, 1]), int(wrong[1, 1])),
        line(
            f"{one} only" + (" (lost in distillation)" if distilled else ""),
            int(given[1, 0]),
            int(wrong[1, 0]),
        ),
        line(f"{other} only" + (" (gained)" if distilled else ""), int(given[0, 1]), int(wrong[0, 1])),
        ["Neither", f"{int(given[0, 0]):,}", f"{int(given[0, 0]) / total:.0%}", "–"],
    ]
    st.html(markup.panel_title("Over all prescriptions", "each at its own cut-off"))
    st.html(
        table(
            ["Suggested by", "Prescribed", "Of the prescribed", "Not prescribed"],
            rows,
            numeric=frozenset((1, 2, 3)),
        )
    )


def _by_class(view: View, found: ModelAgreement) -> None:
    one, other = say.model(found.first), say.model(found.second)
    right = found.right
    gap = right[found.first] - right[found.second]
    order = sorted(range(len(gap)), key=lambda i: (-abs(int(gap[i])), i))
    used = [
        i
        for i in order
        if found.counts[i, 1].any() or found.counts[i, 0, 1].any() or found.counts[i, 0, 0, 1]
    ]
    rows: list[list[TableCell]] = []
    for i in used:
        code = view.desk.analysis.codes[i]
        title, counts = view.title(code), found.counts[i]

        def cell(
            given: int,
            a: int,
            b: int,
            told: str,
            code: str = code,
            title: str = title,
            counts: np.ndarray = counts,
        ) -> TableCell:
            who = [("prescribed", bool(given)), (found.first, bool(a)), (found.second, bool(b))]
            return opens(view, int(counts[given, a, b]), f"{title} {told}", classed(code, who))

        rows.append(
            [
                f"{title} ({code})" if title != code else code,
                f"{int(counts[1].sum()):,}",
                cell(1, 1, 1, "found by both"), cell(1, 1, 0, f"found by {one} only"),
                cell(1, 0, 1, f"found by {other} only"), cell(1, 0, 0, "missed by both"),
                cell(0, 1, 0, f"in vain by {one} only"), cell(0, 0, 1, f"in vain by {other} only"),
                f"{int(gap[i]):+,}".replace("-", "−"),
            ]
        )  # fmt: skip
    st.html(markup.panel_title("By class", "the largest difference first; every count opens its cases"))
    headings = ["Class", "Prescribed", "Found by both", f"{one} only", f"{other} only", "Missed by both",
                f"In vain: {one} only", f"In vain: {other} only", f"{one} right more often"]  # fmt: skip
    st.html(table(headings, rows, numeric=frozenset(range(1, 9))))
    with st.container(horizontal=True):
        st.space("stretch")
        csv("two-models", *csv_table(view, found))


def csv_table(view: View, found: ModelAgreement) -> tuple[list[str], list[list[Cell]]]:
    """Every class with its eight counts."""
    states = [(t, a, b) for t in (1, 0) for a in (1, 0) for b in (1, 0)]
    headings = ["code", "title"] + [
        f"{'prescribed' if t else 'not prescribed'}, {found.first} {'yes' if a else 'no'}, {found.second} {'yes' if b else 'no'}"
        for t, a, b in states
    ]
    rows: list[list[Cell]] = [
        [code, view.title(code), *(int(found.counts[i][state]) for state in states)]
        for i, code in enumerate(view.desk.analysis.codes)
    ]
    return headings, rows
