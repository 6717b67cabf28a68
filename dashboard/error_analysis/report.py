"""The whole error analysis of the chosen cases as one HTML file: composed from the views' own answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
import streamlit as st

from dashboard.error_analysis import annotations as errors_notes
from dashboard.error_analysis import classes, curves, groups, two_models
from dashboard.error_analysis import tree as errors_tree
from dashboard.error_analysis.parts import Opens, TableCell, View
from dashboard.error_analysis.report_html import Paper, Section, write_html
from dashboard.error_analysis.svg import Line, Point, intervals, lines
from dashboard.server.workspace import get_workspace
from dashboard.shared import analysis_text as say
from dashboard.shared import wording
from dashboard.shared.chart_style import mark
from dashboard.shared.formatting import count, day
from leader_core import LeaderError
from leader_core.error_analysis import FEWEST, SENSITIVE, Grouping, tightened

_FIELDS: Final = ("history", "visits", *SENSITIVE, "chapter", "diagnoses", "truncated")
_MOST_CLASSES: Final = 40


def button(view: View) -> None:
    """A button that makes the file when it is pressed."""
    st.download_button(
        "Report",
        lambda: write_html(compose(view)),
        file_name=f"leader-error-analysis-{datetime.now(UTC):%Y-%m-%d}.html",
        mime="text/html",
        icon=":material/description:",
        type="tertiary",
        key="errors-report",
        on_click="ignore",
        help="Every view of the chosen cases and models in one file that opens offline.",
    )


def compose(view: View) -> Paper:
    """Everything that the file says."""
    cohort, models = view.service.engine.cohort, view.desk.analysis.models
    conditions = "; ".join(map(view.told, view.selection.conditions)) or "all scored cases"
    number = int(view.within.sum())
    facts = [
        ("Cases", f"{conditions}: {count(number, 'case')}"),
        ("Cohort", f"{cohort.fingerprint.label}, {cohort.fingerprint.patients:,} patients"),
        *(
            (say.model(n), f"cut-off {m.threshold:.2f}, scored {day(m.scored_at)}, {count(m.cases, 'case')}"
             + (f", weights {m.digest[:12]}" if m.digest else ""))
            for n, m in models.items()
        ),
        ("Intervals", "95 %, bootstrap over patients; small groups are marked, not left out"),
    ]  # fmt: skip
    print_ = cohort.fingerprint
    return Paper(
        title="Error analysis",
        subtitle=f"{listing(view)} on {conditions}",
        made_at=datetime.now(UTC),
        fingerprint=print_,
        data_kind=wording.data_kind(print_.synthetic, print_.label),
        facts=[("Data", wording.data_kind(print_.synthetic, print_.label)), *facts],
        sections=[s for s in _sections(view) if s.rows or s.told],
    )


def listing(view: View) -> str:
    """The models compared."""
    return " and ".join(say.model(name) for name in view.models)


def _sections(view: View) -> list[Section]:
    overall = groups.overall_table(groups.overall_of(view, list(view.desk.analysis.models)))
    found = [Section("All chosen cases", "", *_plain(*overall))]
    found += [_by(view, field) for field in _FIELDS if field in view.desk.analysis.frame.columns]
    found.append(_tree(view))
    found.append(_classes(view))
    if view.beside is not None:
        found.append(_pair(view))
    found += [_sweep(view), _calibration(view), _drift(view), _tags(view)]
    return found


def _plain(
    headings: Sequence[str], rows: Sequence[Sequence[TableCell]]
) -> tuple[Sequence[str], list[list[str]]]:
    """A table whose cells open nothing."""
    return headings, [[cell.text if isinstance(cell, Opens) else cell for cell in row] for row in rows]


def _colours(view: View) -> list[str]:
    return [mark(name, view.models, "light")[0] for name in view.models]


def _by(view: View, field: str) -> Section:
    grouping = groups.grouping(view, field)
    metric = view.metric
    rows = [
        [f"{say.value(field, r.group)} · {say.model(r.model)}", f"{r.cases:,}", say.estimate(metric, r.scores[metric]),
         "reference" if r.group == grouping.reference else say.gap(metric, r.gaps[metric])]
        for r in grouping.rows
    ]  # fmt: skip
    few = frozenset(i for i, r in enumerate(grouping.rows) if r.few)
    told = f"{say.METRICS_TOLD[metric]}; gaps are to the largest group" + (
        f"; italic rows have fewer than {FEWEST} cases" if few else ""
    )
    headings = ("Group", "Cases", say.METRICS[metric], "Gap")
    return Section(
        f"{say.METRICS[metric]} by {say.FIELDS[field].lower()}",
        told,
        headings,
        rows,
        _dots(view, grouping, field),
        few,
    )


def _dots(view: View, grouping: Grouping, field: str) -> str:
    rows: dict[str, list[Point]] = {}
    for row in grouping.rows:
        found = row.scores[view.metric]
        own = rows.setdefault(f"{say.value(field, row.group)} ({row.cases:,})", [])
        if found is not None:
            own.append(Point(found.value, found.low, found.high, view.models.index(row.model), row.few))
    return intervals(list(rows.items()), _colours(view), f"{say.METRICS[view.metric]} by {say.FIELDS[field]}")


def _tree(view: View) -> Section:
    heading = f"Where the {say.model(view.model).lower()} errs most"
    try:
        tree = errors_tree.grown(view, "error", "", 3)
    except LeaderError as error:
        return Section(heading, str(error))
    leaves = sorted((n for n in tree.nodes if n.children is None), key=lambda n: -n.rate)
    rows = [
        [", ".join(map(view.told, tightened(n.conditions))) or "all cases", f"{n.rate:.2f}", f"{n.cases:,}",
         f"{n.coverage:.0%}", f"{n.share:.0%}"]
        for n in leaves
    ]  # fmt: skip
    told = "Leaves of an error tree over 1 − Jaccard, worst first. It searches many splits: it says where to look."
    return Section(heading, told, ("Leaf", "Mean error", "Cases", "Of all cases", "Of all error"), rows)


def _classes(view: View) -> Section:
    counts, bins = classes.counted(view), classes.reliability(view)
    order = np.argsort(-counts.prescribed, kind="stable")[:_MOST_CLASSES].tolist()
    rows = [
        [f"{view.title(code)} ({code})", f"{counts.prescribed[i]:,}", _two(counts.precision[i]), _two(counts.recall[i]),
         _two(counts.f1[i]), f"{counts.missed[i]:,}", f"{counts.extra[i]:,}", f"{bins.error[i]:.3f}"]
        for i in order
        for code in (view.desk.analysis.codes[i],)
        if counts.prescribed[i]
    ]  # fmt: skip
    headings = ("Class", "Prescribed", "Precision", "Recall", "F1", "Missed", "In vain", "ECE")
    told = f"The {say.model(view.model).lower()} at its own cut-off; the {_MOST_CLASSES} classes most often prescribed"
    return Section("Class by class", told, headings, rows)


def _two(value: float) -> str:
    return say.figure("f1", float(value))


def _pair(view: View) -> Section:
    found = two_models.crossed_of(view)
    one, other = say.model(found.first), say.model(found.second)
    given = found.counts[:, 1].sum(0)
    rows = [
        ["Found by both", f"{given[1, 1]:,}"],
        [f"Found by {one} only", f"{given[1, 0]:,}"],
        [f"Found by {other} only", f"{given[0, 1]:,}"],
        ["Missed by both", f"{given[0, 0]:,}"],
    ]
    return Section(
        f"{one} against {other}", "Over all prescriptions, each at its own cut-off", ("", "Prescribed"), rows
    )


def _sweep(view: View) -> Section:
    found = {name: curves.swept(view, name) for name in view.models}
    drawn = lines(
        [Line(s.cuts.tolist(), s.jaccard.tolist(), i) for i, s in enumerate(found.values())],
        _colours(view), float(max((s.jaccard.max() for s in found.values()), default=1.0)), "cut-off", "Jaccard over the cut-off",
    )  # fmt: skip
    rows = [
        [f"{say.model(name)} at {s.cuts[at]:.2f}", _two(s.jaccard[at]), _two(s.f1[at]),
         say.figure("medications", float(s.medications[at])), say.figure("ddi_rate", float(s.ddi_rate[at]))]
        for name, s in found.items()
        for at in range(9, 99, 10)
    ]  # fmt: skip
    told = f"Mean Jaccard over the cut-off: {listing(view)}, the second dashed"
    return Section(
        "Cut-off", told, ("Cut-off", "Jaccard", "F1", "Classes suggested", "Interaction rate"), rows, drawn
    )


def _calibration(view: View) -> Section:
    found = {name: classes.reliability(view, name) for name in view.models}
    rows, drawn = [], []
    for i, (name, one) in enumerate(found.items()):
        counts, said, observed = one.of()
        drawn.append(Line(said.tolist(), observed.tolist(), i))
        rows += [
            [
                f"{say.model(name)}, {b / 15:.2f} to {(b + 1) / 15:.2f}",
                f"{counts[b]:,}",
                f"{said[b]:.3f}",
                f"{observed[b]:.3f}",
            ]
            for b in np.flatnonzero(counts).tolist()
        ]
    errors = ", ".join(f"{say.model(n)} {one.overall_error:.3f}" for n, one in found.items())
    figure = lines(
        drawn, _colours(view), 1.0, "mean probability", "Share prescribed against mean probability"
    )
    return Section(
        "Calibration",
        f"Expected calibration error: {errors}",
        ("Probability", "Pairs", "Predicted", "Observed"),
        rows,
        figure,
    )


def _drift(view: View) -> Section:
    training = view.desk.analysis.mask(curves.base(view.desk, "train"))
    if not training.any() or not (~training & view.within).any():
        return Section("Drift", "")
    found = [s for s in view.desk.analysis.shifts(training, view.within) if s.measure == s.measure]
    top = sorted(found, key=lambda s: -abs(s.measure))[:20]
    rows = [
        [
            view.title(s.name) if s.kind == "class" else say.FIELDS.get(s.name, s.name),
            s.kind,
            f"{s.measure:.3f}",
        ]
        for s in top
    ]
    told = "The chosen cases against the training split: stability index of fields, standardised difference of the rest"
    return Section("Drift", told, ("What", "Kind", "Measure"), rows)


def _tags(view: View) -> Section:
    tags = get_workspace(view.service).tags
    chosen = set(view.desk.analysis.frame.visit_ids[view.within].tolist())
    said = [a for a in tags.all() if a.visit_id in chosen]
    kinds = tags.kinds(removed=True)
    rows = [
        [kind.name, f"{len({a.visit_id for a in said if kind.kind_id in a.kinds}):,}"]
        for kind in kinds
        if any(kind.kind_id in a.kinds for a in said)
    ]
    rows += [
        [f"Kappa of {a} and {b}: {next(k.name for k in kinds if k.kind_id == one.kind)}",
         "–" if one.kappa is None else f"{one.kappa:.2f}"]
        for a, b, ones in errors_notes.agreements(kinds, said)
        for one in ones
        if one.both or one.first_only or one.second_only
    ]  # fmt: skip
    told = f"{count(len({a.visit_id for a in said}), 'case')} looked at" if said else ""
    return Section("Tags", told, ("Kind of error", "Cases"), rows)
