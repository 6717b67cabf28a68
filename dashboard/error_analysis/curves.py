"""The cut-off from 0 to 1, and calibration: what each model's stored probabilities give at every cut-off and in every bin."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st

from dashboard.error_analysis import cross_filter
from dashboard.error_analysis.classes import ROW, reliability
from dashboard.error_analysis.context import AnalysisContext, chart, model_cell, show_chosen
from dashboard.error_analysis.tables import (
    AnalysisTable,
    TableCell,
    csv_row,
    metric_cell,
    number_cell,
    table_of,
)
from dashboard.shared import charts, markup, theme, url_state
from dashboard.shared.analysis import METRICS, model_name
from dashboard.shared.charts import ReliabilityLine, color_mode, model_style, with_layout
from dashboard.shared.formatting import cut_off
from dashboard.shared.theme import Mode
from leader_core.error_analysis import Condition, Reliability, Sweep
from leader_core.evaluation.calibration import BINS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

ALL: Final = "all"
_METRICS: Final = ("jaccard", "f1", "precision", "recall", "medications", "ddi_rate")
_DRAWN: Final = ("jaccard", "f1", "medications", "ddi_rate")
_FEW_CLASSES: Final = 2
_NO_CASE: Final = "Neither model has scored any of the chosen cases. Choose other ones."


def sweep(context: AnalysisContext, model: str) -> Sweep:
    """Every metric at every cut-off, computed once."""
    return context.with_progress(
        ("sweep", model),
        f"Reading the {model_name(model).lower()}'s probabilities…",
        lambda progress: context.analysis.sweep(model, context.within, progress),
    )


def draw_cut_off(context: AnalysisContext) -> None:
    """The curves, a cut-off to look at, and both models at three cut-offs."""
    sweeps = {name: sweep(context, name) for name in context.models}
    if not any(each.cases for each in sweeps.values()):
        st.html(markup.empty("No case", _NO_CASE))
        return
    st.html(
        markup.panel_title(
            "What a cut-off does", "exact, from the stored probabilities; the symbol is a model's own cut-off"
        )
    )
    own = {
        name: CutOff(name, context.analysis.models[name].threshold, _at_own(context, name)) for name in sweeps
    }
    threshold = float(st.session_state["cut"]) or None
    charts.draw(
        sweep_figure(sweeps, own, _ordered(context), threshold, color_mode()),
        f"cut-{context.model}-{context.other}-{context.selection.text}",
        "Jaccard, F1, classes suggested and DDI rate over the cut-off",
    )
    st.slider("Cut-off to look at", 0.01, 0.99, step=0.005, format="%.3f", key="cut_shown", on_change=_take_cut_off,
              value=threshold or round(own[context.model].threshold, 3))  # fmt: skip
    shown = []
    for name, each in sweeps.items():
        shown += [
            replace(own[name], label="its own"),
            replace(_cut_off(name, each, each.best), label="highest Jaccard"),
        ]
        if threshold is not None:
            shown.append(replace(_cut_off(name, each, threshold), label="the one above"))
    st.html(sweep_table(shown).html())
    every = [_cut_off(name, each, at) for name, each in sweeps.items() for at in each.thresholds.tolist()]
    csv_row("cut-off", lambda: sweep_table(every))


@dataclass(frozen=True, slots=True)
class CutOff:
    """What a model gives at one cut-off."""

    model: str
    threshold: float
    metrics: Mapping[str, float]
    label: str = ""


def _cut_off(model: str, result: Sweep, threshold: float) -> CutOff:
    """At the step of a sweep that is nearest."""
    at = int(np.abs(result.thresholds - threshold).argmin())
    return CutOff(model, float(result.thresholds[at]), {m: float(getattr(result, m)[at]) for m in _METRICS})


def _at_own(context: AnalysisContext, model: str) -> Mapping[str, float]:
    """The model's metrics as every other view has them: its own cut-off may lie between two steps of the sweep."""
    row = context.cached(("own", model), lambda a: a.by_masks("own", [model], {"own": context.within})).rows[
        0
    ]
    return {m: e.value if (e := row.scores[m]) else float("nan") for m in _METRICS}


def _take_cut_off() -> None:
    st.session_state["cut"] = round(float(st.session_state["cut_shown"]), 3)


def _ordered(context: AnalysisContext) -> dict[str, float | None]:
    """Classes and interaction rate of what was really ordered."""
    frame, within = context.analysis.frame, context.within
    pairs = float(frame.real_pairs[within].sum())
    return {
        "medications": float(frame.numbers["prescribed"][within].mean()) if within.any() else None,
        "ddi_rate": float(frame.real_interacting[within].sum()) / pairs if pairs else None,
    }


def sweep_table(rows: Sequence[CutOff]) -> AnalysisTable:
    """One row per model and cut-off; without labels there is no column for them."""

    def cell(metric: str) -> Callable[[CutOff], TableCell]:
        return lambda row: metric_cell(metric, row.metrics[metric])

    return table_of(
        rows,
        [
            ("Model", "model", lambda row: model_cell(row.model)),
            *([("Cut-off", "", lambda row: row.label)] if any(row.label for row in rows) else []),
            ("At", "cut-off", lambda row: TableCell(row.threshold, cut_off(row.threshold))),
            *((METRICS[metric], metric, cell(metric)) for metric in _METRICS),
        ],
    )


def draw_calibration(context: AnalysisContext) -> None:
    """A class or all of them, the chart, the bins."""
    codes = list(context.analysis.codes)
    if st.session_state["of_class"] not in (ALL, *codes):
        st.session_state["of_class"] = ALL
    st.selectbox(
        "Class",
        [ALL, *codes],
        format_func=lambda c: "All classes together" if c == ALL else context.titled(c),
        width=380,
        **url_state.mirror("of_class"),
    )
    code = st.session_state["of_class"]
    index = None if code == ALL else codes.index(code)
    bins = {name: reliability(context, name) for name in context.models}
    if not any(each.counts.any() for each in bins.values()):
        st.html(markup.empty("No case", _NO_CASE))
        return
    errors = ", ".join(
        f"{model_name(name)} {each.overall_error if index is None else each.error[index]:.3f}"
        for name, each in bins.items()
    )
    st.html(markup.panel_title("Predicted against observed", f"expected calibration error: {errors}"))
    figure = reliability_figure(context, bins, code, color_mode())
    key = f"calibration-{code}-{context.model}-{context.other}-{context.selection.text}"
    alt = "Share ordered against mean probability"
    if code == ALL:
        charts.draw(figure, key, alt, on_select=lambda: _take_point(key), selection_mode="points")
        _draw_point(context, bins)
    else:
        chart(context, figure, key, alt)
    with st.expander("The numbers of each point", expanded=code != ALL):
        st.html(bins_table(context, bins, [code]).html())
    csv_row("calibration", lambda: bins_table(context, bins, [ALL, *codes]))


def _take_point(key: str) -> None:
    points = st.session_state[key].selection.points
    st.session_state["point"] = str(points[0]["customdata"]) if points else ""


def _draw_point(context: AnalysisContext, bins: Mapping[str, Reliability]) -> None:
    """A point of all classes, chosen in the chart or by name, class by class: nearly every case has some class in it."""
    points = {
        f"{model}:{part}": f"{model_name(model)}, {_bin_name(part)}"
        for model, each in bins.items()
        for part in np.flatnonzero(each.of()[0]).tolist()
    }
    if st.session_state["point"] not in points:
        st.session_state["point"] = ""
    st.selectbox(
        "Point of the chart", ["", *points], format_func=lambda point: points.get(point, "None"), width=380,
        help="Nearly every case has some class at each point, so a point shows its classes, and a class its cases.",
        **url_state.mirror("point"),
    )  # fmt: skip
    if not (point := st.session_state["point"]):
        st.html(
            markup.note("Choose a point, in the chart or here: its classes come below, each with its cases.")
        )
        return
    model, part = point.split(":")[0], int(point.split(":")[1])
    st.html(
        markup.panel_title(f"Classes at this point: {points[point]}", "most orders off the diagonal first")
    )
    frame, codes = point_classes(context, bins[model], part)
    key = cross_filter.chart_key(f"point-{point}-{zlib.crc32(context.key.encode())}")

    def take() -> None:
        cells = st.session_state[key].selection.cells
        chosen = (Condition("bin", (model, codes[cells[0][0]]), part),) if cells else ()
        cross_filter.choose(chosen)

    st.dataframe(
        frame, key=key, hide_index=True, height=min(444, 38 + ROW * len(frame)), row_height=ROW,
        column_config={
            "Class": st.column_config.TextColumn(width=190),
            "Predicted": st.column_config.NumberColumn(format="%.3f", help="mean probability"),
            "Observed": st.column_config.NumberColumn(format="%.3f", help="share ordered"),
            "Orders": st.column_config.NumberColumn(help="really ordered among these cases"),
            "Beyond predicted": st.column_config.NumberColumn(format="%+.1f", help="orders minus the sum of probabilities"),
        },
        on_select=take, selection_mode="single-cell",
    )  # fmt: skip
    show_chosen(context, "Click a row: every other view then shows the cases of that class at this point.")


def point_classes(context: AnalysisContext, bins: Reliability, part: int) -> tuple[pd.DataFrame, list[str]]:
    """The classes that have cases in a bin, most orders off their predicted number first, and their codes."""
    import pandas as pd  # slow to import, and not needed at start-up

    counts, predicted, observed = bins.counts[:, part], bins.predicted[:, part], bins.observed[:, part]
    beyond = observed - predicted
    rows = [i for i in np.argsort(-np.abs(beyond), kind="stable").tolist() if counts[i]]
    frame = pd.DataFrame(
        {
            "Class": [context.titled(context.analysis.codes[i]) for i in rows],
            "Cases": counts[rows],
            "Predicted": predicted[rows] / counts[rows],
            "Observed": observed[rows] / counts[rows],
            "Orders": observed[rows],
            "Beyond predicted": beyond[rows],
        }
    )
    return frame, [context.analysis.codes[i] for i in rows]


def _bin_name(part: int) -> str:
    return f"{part / BINS:.2f} to {(part + 1) / BINS:.2f}"


def bins_table(
    context: AnalysisContext, bins: Mapping[str, Reliability], codes: Sequence[str]
) -> AnalysisTable:
    """One row per model, class and bin that holds anything; the counts of one class open their cases."""
    one_class = ALL not in codes
    rows = []
    for name, each in bins.items():
        for code in codes:
            counts, predicted, observed = each.of(None if code == ALL else context.analysis.codes.index(code))
            rows += [
                (name, code, i, int(counts[i]), float(predicted[i]), float(observed[i]))
                for i in np.flatnonzero(counts).tolist()
            ]

    def cases(row: tuple[str, str, int, int, float, float]) -> TableCell:
        name, code, part, number = row[:4]
        if not one_class:  # a pair of case and class is not a case
            return TableCell(number, f"{number:,}")
        condition = Condition("bin", (name, code), part)
        return context.opens(number, f"{context.title(code)} at {_bin_name(part)}", condition)

    return table_of(
        rows,
        [
            ("Model", "model", lambda row: model_cell(row[0])),
            ("", "class", lambda row: row[1]),
            ("", "from", lambda row: number_cell(row[2] / BINS)),
            ("", "to", lambda row: number_cell((row[2] + 1) / BINS)),
            ("Probability", "", lambda row: _bin_name(row[2])),
            ("Cases" if one_class else "Pairs of case and class", "pairs", cases),
            ("Predicted", "mean probability", lambda row: number_cell(row[4], ".3f")),
            ("Observed", "share ordered", lambda row: number_cell(row[5], ".3f")),
            ("Observed − predicted", "", lambda row: number_cell(row[5] - row[4], "+.3f")),
        ],
    )


def sweep_figure(
    sweeps: Mapping[str, Sweep],
    own: Mapping[str, CutOff],
    real: Mapping[str, float | None],
    threshold: float | None,
    mode: Mode,
) -> go.Figure:
    """Four panels over the cut-off.

    Args:
        sweeps: model -> its sweep.
        own: model -> what it gives at the cut-off that it is served with.
        real: "medications" and "ddi_rate" of what was really ordered.
        threshold: the cut-off that is looked at.
        mode: light or dark.
    """
    from plotly.subplots import make_subplots

    chart = make_subplots(
        rows=2,
        cols=2,
        subplot_titles=[METRICS[n] for n in _DRAWN],
        horizontal_spacing=0.09,
        vertical_spacing=0.17,
    )
    muted = theme.COLOURS["muted"].of(mode)
    for index, name in enumerate(_DRAWN):
        row, col = index // 2 + 1, index % 2 + 1
        for model, one in sweeps.items():
            colour, symbol = model_style(model, list(sweeps), mode)
            values = getattr(one, name)
            if name == "ddi_rate":  # of hardly any pair: noise
                values = np.where(one.medications < _FEW_CLASSES, np.nan, values)
            chart.add_scatter(
                x=one.thresholds, y=values, mode="lines",
                name=model_name(model), legendgroup=model, showlegend=index == 0,
                line={"color": colour, "width": 2},
                hovertemplate=f"{model_name(model)}: %{{y:.3f}} at %{{x:.2f}}<extra></extra>", row=row, col=col,
            )  # fmt: skip
            chart.add_scatter(
                x=[own[model].threshold], y=[own[model].metrics[name]], mode="markers",
                name=f"{model_name(model)}'s own cut-off", legendgroup=model, showlegend=False,
                marker={"symbol": symbol, "size": 12, "color": colour},
                hovertemplate=f"{model_name(model)}'s own cut-off: %{{y:.3f}} at %{{x:.2f}}<extra></extra>",
                row=row, col=col,
            )  # fmt: skip
        if real.get(name) is not None:
            chart.add_hline(y=real[name], line={"color": muted, "dash": "dot", "width": 1.5}, row=row, col=col,
                            annotation={"text": "ordered", "font": {"size": 11, "color": muted}},
                            annotation_position="bottom right")  # fmt: skip
        if threshold is not None:
            chart.add_vline(x=threshold, line={"color": muted, "width": 1}, row=row, col=col)
    with_layout(chart, mode, 520, showlegend=len(sweeps) > 1)
    chart.update_layout(margin={"l": 8, "r": 8, "t": 52, "b": 8}, legend={"y": 1.06})
    chart.update_annotations(font={"size": 13, "color": theme.COLOURS["ink"].of(mode)})
    chart.update_xaxes(range=[0, 1])
    chart.update_yaxes(rangemode="tozero")
    return chart


def reliability_figure(
    context: AnalysisContext, bins: Mapping[str, Reliability], code: str, mode: Mode
) -> go.Figure:
    """Share ordered against mean probability of a class, or of all of them; a point per bin."""
    index = None if code == ALL else context.analysis.codes.index(code)
    lines = []
    for model, each in bins.items():
        counts, predicted, observed = each.of(index)
        used = np.flatnonzero(counts).tolist()
        colour, symbol = model_style(model, list(bins), mode)
        parts = [
            f"{model}:{part}" if code == ALL else Condition("bin", (model, code), part).text for part in used
        ]
        lines.append(
            ReliabilityLine(
                model_name(model), colour, symbol, counts[used].tolist(), predicted[used].tolist(),
                observed[used].tolist(), customdata=parts,
            )
        )  # fmt: skip
    return charts.reliability(
        lines, mode, 460, "pairs of case and class", margin={"l": 8, "r": 8, "t": 36, "b": 8}
    )
