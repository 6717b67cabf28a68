"""The views that draw lines: the cut-off moved from 0 to 1, and calibration; and drift between two sets of cases."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.classes import reliability
from dashboard.error_analysis.parts import CASES, TableCell, View, chart, csv, linked, mode, opens, table
from dashboard.report.csv_tables import Cell
from dashboard.server.analysis_cache import EVERYBODY, base
from dashboard.shared import analysis_text as say
from dashboard.shared import markup, navigation, url_state
from dashboard.shared.formatting import MISSING, count
from leader_core.error_analysis import Condition, Reliability, Shift, Sweep
from leader_core.error_analysis.comparisons import LITTLE, MUCH

ALL: Final = "all"
_PANELS: Final = ("jaccard", "f1", "precision", "recall", "medications", "ddi_rate")
_BINS: Final = 15


def swept(view: View, model: str) -> Sweep:
    """All figures at all cut-offs, worked out once with its progress shown."""

    def ask() -> Sweep:
        bar = st.progress(0.0, f"Reading the {say.model(model).lower()}'s probabilities…")
        try:
            return view.desk.analysis.sweep(model, view.within, lambda done: bar.progress(done))
        finally:
            bar.empty()

    return view.desk.kept(("sweep", model, view.key), ask)


def cut_off(view: View) -> None:
    """The view of the cut-off."""
    models = view.desk.analysis.models
    found = {name: swept(view, name) for name in view.models}
    if not any(one.cases for one in found.values()):
        st.html(
            markup.empty("No case", "Neither model has scored any of the chosen cases. Choose other ones.")
        )
        return
    st.html(
        markup.panel_title(
            "What a cut-off does", "exact, from the stored probabilities; the mark is a model's own cut-off"
        )
    )
    frame = view.desk.analysis.frame
    pairs = float(frame.real_pairs[view.within].sum())
    real = {
        "medications": float(frame.numbers["prescribed"][view.within].mean()) if view.within.any() else None,
        "ddi_rate": float(frame.real_interacting[view.within].sum()) / pairs if pairs else None,
    }
    from dashboard.error_analysis.curves_chart import sweeps

    own = {name: models[name].threshold for name in found}
    cut = float(st.session_state["cut"]) or None
    key = f"cut-{view.model}-{view.beside}-{view.text}"
    drawn = sweeps(found, own, real, cut, mode())
    chosen: Any = st.plotly_chart(
        drawn, key=key, theme=None, on_select="rerun", selection_mode="points", config={"displayModeBar": False},
        alt="Jaccard, F1, classes suggested and interaction rate over the cut-off",
    )  # fmt: skip
    points = chosen.selection.points if chosen and chosen.selection else []
    if (
        points
        and points[0].get("x") is not None
        and round(float(points[0]["x"]), 2) != st.session_state["cut"]
    ):
        st.session_state["cut"] = round(float(points[0]["x"]), 2)
        st.rerun()
    st.slider("Cut-off to look at", 0.01, 0.99, step=0.01, key="cut_shown", on_change=_take,
              value=cut or own[view.model])  # fmt: skip
    _at(view, found, own, float(st.session_state["cut"]) or own[view.model])


def _take() -> None:
    st.session_state["cut"] = round(float(st.session_state["cut_shown"]), 2)


def _at(view: View, found: dict[str, Sweep], own: dict[str, float], cut: float) -> None:
    """Figures of both models at their own cut-off, at the best one, and at the one that is looked at."""
    rows: list[list[TableCell]] = []
    for name, one in found.items():
        for label, value in (("its own", own[name]), ("highest Jaccard", one.best), ("the one above", cut)):
            at = int(np.abs(one.cuts - value).argmin())
            rows.append(
                [
                    say.model(name),
                    label,
                    f"{one.cuts[at]:.2f}",
                    *(say.figure(m, float(getattr(one, m)[at])) for m in _PANELS),
                ]
            )
    headings = ["Model", "Cut-off", "At", *(say.METRICS[m] for m in _PANELS)]
    st.html(table(headings, rows, numeric=frozenset(range(2, 9))))
    with st.container(horizontal=True, vertical_alignment="center"):
        navigation.link(
            "patients",
            f"Open the {count(int(view.within.sum()), 'case')} in the worklist",
            {CASES: linked(view.selection)},
        )
        st.space("stretch")
        csv("cut-off", *sweep_csv(found))


def sweep_csv(found: dict[str, Sweep]) -> tuple[list[str], list[list[Cell]]]:
    """One row a model and cut-off."""
    rows: list[list[Cell]] = [
        [name, float(cut), *(float(getattr(one, m)[i]) for m in _PANELS)]
        for name, one in found.items()
        for i, cut in enumerate(one.cuts)
    ]
    return ["model", "cut-off", *_PANELS], rows


def calibration(view: View) -> None:
    """The view of calibration."""
    analysis = view.desk.analysis
    codes = list(analysis.codes)
    options = [ALL, *codes]
    if st.session_state["of_class"] not in options:
        st.session_state["of_class"] = ALL
    st.selectbox(
        "Class",
        options,
        format_func=lambda c: "All classes together" if c == ALL else f"{view.title(c)} ({c})",
        width=380,
        **url_state.mirror("of_class"),
    )
    code = st.session_state["of_class"]
    place = None if code == ALL else codes.index(code)
    found = {name: reliability(view, name) for name in view.models}
    if not any(one.counts.any() for one in found.values()):
        st.html(
            markup.empty("No case", "Neither model has scored any of the chosen cases. Choose other ones.")
        )
        return
    errors = ", ".join(
        f"{say.model(n)} {one.overall_error if place is None else one.error[place]:.3f}"
        for n, one in found.items()
    )
    st.html(markup.panel_title("Predicted against observed", f"expected calibration error: {errors}"))
    from dashboard.error_analysis.curves_chart import reliability as figure

    def chosen(data: Any) -> tuple[str, list[Condition]] | None:
        model, _, part = str(data).partition("|")
        if model not in analysis.models or not part.isdecimal():
            return None
        condition = Condition("bin", (model, code), int(part))
        return view.told(condition), [condition]

    chart(
        view,
        figure(found, place, mode()),
        f"calibration-{code}-{view.model}-{view.beside}-{view.text}",
        "Share prescribed against mean probability",
        conditions=chosen,
    )
    _bins(view, found, code, place)


def _bins(view: View, found: dict[str, Reliability], code: str, place: int | None) -> None:
    rows: list[list[TableCell]] = []
    for name, one in found.items():
        counts, said, observed = one.of(place)
        for i in np.flatnonzero(counts).tolist():
            label = f"{i / _BINS:.2f} to {(i + 1) / _BINS:.2f}"
            number: TableCell = f"{counts[i]:,}"
            if place is not None:  # then a pair is a case
                number = opens(
                    view, int(counts[i]), f"{view.title(code)} at {label}", Condition("bin", (name, code), i)
                )
            rows.append([say.model(name), label, number, f"{said[i]:.3f}", f"{observed[i]:.3f}",
                         f"{observed[i] - said[i]:+.3f}".replace("-", "−")])  # fmt: skip
    headings = [
        "Model",
        "Probability",
        "Cases" if place is not None else "Pairs of case and class",
        "Predicted",
        "Observed",
        "Observed − predicted",
    ]
    st.html(table(headings, rows, numeric=frozenset((2, 3, 4, 5))))
    with st.container(horizontal=True):
        st.space("stretch")
        csv("calibration", *calibration_csv(view, found))


def calibration_csv(view: View, found: dict[str, Reliability]) -> tuple[list[str], list[list[Cell]]]:
    """One row a model, class and bin, all classes together first."""
    rows: list[list[Cell]] = []
    for name, one in found.items():
        for place, code in ((None, ALL), *enumerate(view.desk.analysis.codes)):
            counts, said, observed = one.of(place)
            rows += [
                [name, code, i / _BINS, (i + 1) / _BINS, int(counts[i]), float(said[i]), float(observed[i])]
                for i in np.flatnonzero(counts).tolist()
            ]
    return ["model", "class", "from", "to", "pairs", "mean probability", "share prescribed"], rows


def drift(view: View) -> None:
    """The view of drift: the chosen cases against another split."""
    splits = list(view.desk.analysis.frame.columns["split"].values)
    options = [*splits, EVERYBODY]
    if st.session_state["against"] not in options:
        st.session_state["against"] = options[0]
    st.selectbox(
        "Compare the chosen cases with",
        options,
        format_func=lambda s: "All scored cases" if s == EVERYBODY else f"{say.value('split', s)} split",
        width=240,
        **url_state.mirror("against"),
    )
    against = st.session_state["against"]
    first = view.desk.analysis.mask(base(view.desk, against))
    found = view.desk.kept(
        ("drift", against, view.key), lambda: view.desk.analysis.shifts(first, view.within)
    )
    st.html(
        markup.panel_title(
            "Fields", f"stability index: below {LITTLE} is little, above {MUCH} is much, by custom"
        )
    )
    st.html(_shifts([s for s in found if s.kind == "field"], view))
    st.html(
        markup.panel_title(
            "Numbers and classes prescribed", "standardised difference: 0.1 is little, 0.5 is much"
        )
    )
    rest = [s for s in found if s.kind != "field"]
    st.html(_shifts(sorted(rest, key=lambda s: -abs(np.nan_to_num(s.measure)))[:25], view))
    st.html(
        markup.note(
            f"{count(int(first.sum()), 'case')} against {count(int(view.within.sum()), 'case')}; the 25 largest."
        )
    )
    with st.container(horizontal=True):
        st.space("stretch")
        csv("drift", *drift_csv(found))
    _by_split(view)


def _shifts(found: list[Shift], view: View) -> str:
    rows: list[list[TableCell]] = []
    for shift in found:
        if shift.kind == "field":
            name = say.FIELDS[shift.name]
            moved = f"{say.value(shift.name, shift.value)}: {shift.first:.0%} to {shift.second:.0%}"
        elif shift.kind == "class":
            name, moved = (
                f"{view.title(shift.name)} ({shift.name})",
                f"{shift.first:.1%} to {shift.second:.1%}",
            )
        else:
            name, moved = f"Mean {say.NUMBERS[shift.name]}", f"{shift.first:.1f} to {shift.second:.1f}"
        measure = MISSING if shift.measure != shift.measure else f"{shift.measure:.3f}".replace("-", "−")
        rows.append([name, measure, moved if shift.measure == shift.measure else MISSING])
    return table(["What", "Measure", "Moved most"], rows, numeric=frozenset((1,)))


def _by_split(view: View) -> None:
    """The metric by split, whatever cases are chosen: drift that matters shows here."""
    analysis = view.desk.analysis
    found = view.desk.kept(("by-split", tuple(view.models)), lambda: analysis.by("split", view.models))
    st.html(
        markup.panel_title(
            f"{say.METRICS[view.metric]} by split", "all scored cases; training cases were learned from"
        )
    )
    rows: list[list[TableCell]] = [
        [
            say.value("split", r.group),
            say.model(r.model),
            f"{r.cases:,}",
            say.estimate(view.metric, r.scores[view.metric]),
        ]
        for r in found.rows
    ]
    st.html(table(["Split", "Model", "Cases", say.METRICS[view.metric]], rows, numeric=frozenset((2, 3))))


def drift_csv(found: tuple[Shift, ...]) -> tuple[list[str], list[list[Cell]]]:
    """Every field, number and class."""
    rows: list[list[Cell]] = [
        [s.kind, s.name, None if s.measure != s.measure else s.measure, s.value,
         *(None if v != v else float(v) for v in (s.first, s.second))]
        for s in found
    ]  # fmt: skip
    return ["kind", "name", "measure", "value moved most", "first", "second"], rows
