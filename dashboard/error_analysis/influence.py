"""The global picture: which codes move which classes on average, in both models, over a sample of the chosen cases."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.tables import AnalysisTable, csv_row, number_cell, table_of
from dashboard.scores import explain_table, explanations
from dashboard.scores.explain_table import ItemGroup, ItemRow
from dashboard.scores.explanations import Explained
from dashboard.shared import markup, url_state
from dashboard.shared.formatting import count, listing
from dashboard.shared.widgets import switch
from leader_core.domain import MODEL_NAMES, Kind, ModelName
from leader_core.explain import CodeInfluence, InfluenceSample, code_influence, code_item, influence_sample
from leader_core.explain.influence import EACH, FEWEST

KINDS: Final[dict[Kind, str]] = {
    "diagnosis": "Diagnoses",
    "procedure": "Procedures",
    "medication": "Earlier drugs",
}
_DRAWN: Final = 150  # cases drawn from those chosen, among which the codes are counted
_SEED: Final = 42
_CLASSES: Final = 4  # shown of each code
_SURE: Final = 2.0  # standard errors
_SECONDS: Final[dict[ModelName, float]] = {"teacher": 0.15, "student": 0.005}
"""A reading of the demo's models on two processor cores, roughly."""


def draw(context: AnalysisContext) -> None:
    """Choose the kind of code; ask for the models; the effects of each code, the largest first."""
    kind: Kind = switch("Codes that are left out", KINDS, labelled=True, **url_state.mirror("moved_by"))
    st.html(
        markup.panel_title(
            f"Which {KINDS[kind].lower()} move which classes", "mean change of the probability, both models"
        )
    )
    sample = _sample(context, kind)
    if not sample.codes:
        text = f"No such code is in {FEWEST} of {_DRAWN} cases drawn from those chosen. Choose more cases."
        st.html(markup.empty("Too few cases with the same codes", text))
        return
    # The student first: it needs a second or two, the teacher minutes.
    by_model = {name: _result(context, name, sample) for name in reversed(MODEL_NAMES)}
    results = [by_model[name] for name in MODEL_NAMES]
    if waiting := [result for result in results if result.status == "waiting"]:
        _offer(sample, waiting)
    for result in results:
        if result.status in ("absent", "failed", "stopped"):
            st.html(markup.callout(result.reason, result.model))
        if result.status != "waiting":
            explanations.button(result)
    known = [result.value for result in results if result.value is not None]
    if known:
        missing = (
            "…" if results[0].status == "running" else "",
            "…" if results[1].status == "running" else "",
        )
        st.html(
            explain_table.table(
                groups(context, known),
                caption=f"Mean change of probability by {KINDS[kind].lower()}",
                heading=f"{KINDS[kind]}, and the classes that they move most",
                most=10_000,
                summed=False,
                missing=missing,
            )
        )
        csv_row("influence", lambda: table(context, known), about(sample))


def about(sample: InfluenceSample) -> str:
    """How it was measured, and what it does not say."""
    return (
        f"The {len(sample.codes)} most frequent codes of {_DRAWN} cases drawn from those chosen (seed {_SEED}). Each was left "
        f"out, wherever it occurs, of up to {EACH} cases that have it, and the case scored again: bars to the right raise the "
        "probability. Shown: effects of more than two standard errors; the CSV has all. It says what the models would "
        "say otherwise, not what would happen to a patient, nor why."
    )


def _sample(context: AnalysisContext, kind: Kind) -> InfluenceSample:
    return context.cached(("influence-sample", kind), lambda _: _drawn(context, kind))


def _drawn(context: AnalysisContext, kind: Kind) -> InfluenceSample:
    """Cases drawn at random, the same every time for the same choice."""
    frame, rows = context.analysis.frame, np.flatnonzero(context.within)
    drawn = np.random.default_rng(_SEED).permutation(rows)[:_DRAWN]
    with st.spinner("Reading a sample of the cases…"):
        cases = [
            context.service.engine.cohort.case(int(frame.patient_ids[row]), int(frame.numbers["visits"][row]))
            for row in drawn
        ]
    return influence_sample(cases, kind)


def _result(context: AnalysisContext, name: ModelName, sample: InfluenceSample) -> Explained[CodeInfluence]:
    service = context.service
    model, digest, _ = service.key(sample.cases[0], name)
    return explanations.explain(
        service,
        name,
        (model, digest, zlib.crc32(context.within.tobytes()), f"influence-{sample.kind}"),
        lambda on_progress: code_influence(service.engine, name, sample, on_progress=on_progress),
        on_request=True,
    )


def _offer(sample: InfluenceSample, waiting: Sequence[Explained[CodeInfluence]]) -> None:
    """What it takes, and a button that begins it."""
    readings = len(sample.cases) + sum(map(len, sample.rows))
    seconds = {result.model: max(1, round(readings * _SECONDS[result.model])) for result in waiting}
    times = listing(f"the {name} about {count(number, 'second')}" for name, number in seconds.items())
    st.html(
        markup.empty(
            "Not computed yet for these cases",
            f"{count(len(sample.codes), 'code')}, each left out of up to {EACH} cases: {readings:,} readings by each model. "
            f"On two processor cores {times}; it can be stopped.",
        )
    )
    st.button(
        "Compute",
        icon=":material/calculate:",
        key="influence-ask",
        on_click=explanations.ask,
        args=[result.key for result in waiting],
    )


def groups(context: AnalysisContext, results: list[CodeInfluence]) -> list[ItemGroup]:
    """Of each code the classes that it moves most in either model; codes that move most first."""
    first, cohort = results[0], context.service.engine.cohort
    by_model = {result.model: result for result in results}
    drawn = []
    for code, cases in zip(first.codes, first.cases, strict=True):
        rows = []
        for name in dict.fromkeys(c for result in results for c in result.classes):
            effects = [by_model[m].of(code, name) if m in by_model else None for m in MODEL_NAMES]
            if any(e is not None and abs(e[0]) > _SURE * e[1] for e in effects):
                values = [None if e is None or e[0] != e[0] else e[0] for e in effects]
                item = code_item(0, "medication", name)
                rows.append(ItemRow(item, context.title(name), name, (values[0], values[1])))
        rows.sort(key=lambda row: -row.size)
        if rows:
            title = cohort.title(first.kind, code) or code
            label = f"{title} · {code.rpartition(':')[2]} · {count(cases, 'case')}"
            drawn.append(ItemGroup(label, (None, None), tuple(rows[:_CLASSES])))
    return sorted(drawn, key=lambda group: -group.rows[0].size)


def table(context: AnalysisContext, results: list[CodeInfluence]) -> AnalysisTable:
    """One row a code, class and model, for the CSV."""
    cohort = context.service.engine.cohort
    rows = [
        (result, k, m)
        for result in results
        for k in range(len(result.codes))
        for m in range(len(result.classes))
    ]
    return table_of(
        rows,
        [
            ("", "model", lambda row: row[0].model),
            ("", "code", lambda row: row[0].codes[row[1]]),
            ("", "title", lambda row: cohort.title(row[0].kind, row[0].codes[row[1]])),
            ("", "class", lambda row: row[0].classes[row[2]]),
            ("", "class title", lambda row: context.title(row[0].classes[row[2]])),
            ("", "cases", lambda row: row[0].cases[row[1]]),
            ("", "mean change", lambda row: number_cell(float(row[0].mean[row[1], row[2]]))),
            ("", "standard error", lambda row: number_cell(float(row[0].error[row[1], row[2]]))),
        ],
    )
