"""The report of an error analysis on two pages: what was analysed, how good, what stands out, three cases, the tags.

Tables go to the CSV files of each view; the report says what a reader should know first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from dashboard.error_analysis import findings, tags, tree
from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.findings import numbers, sentence
from dashboard.error_analysis.groups import overall_table
from dashboard.report.html import write_page
from dashboard.server import audit
from dashboard.server.workspace import get_workspace
from dashboard.shared import wording
from dashboard.shared.analysis import TARGETS, field_value, format_metric, model_name
from dashboard.shared.formatting import count, cut_off, day, listing
from leader_core import LeaderError
from leader_core.domain import UNKNOWN
from leader_core.error_analysis import Condition, ErrorFinding, Selection

FINDINGS: Final = 6
EXAMPLES: Final = 3
_NAMED: Final = 6  # classes named in one list of an example


@dataclass(frozen=True, slots=True)
class ExampleCase:
    """A typical case of a finding: who, and which classes each model got wrong."""

    patient_id: int
    about: str
    why: str
    scores: str
    lists: tuple[tuple[str, str], ...]  # heading, classes in words; empty lists are left out


def report_button(context: AnalysisContext) -> None:
    """A button that makes the file when it is pressed."""
    audit.download_button(
        "Report",
        "error analysis, report",
        lambda: write_report(context),
        f"leader-error-analysis-{datetime.now(UTC):%Y-%m-%d}.html",
        "text/html",
        icon=":material/description:",
        key="errors-report",
        help="Two pages that open offline and print on A4: metrics, findings, three example cases, tags. Tables are in the CSVs.",
    )


def write_report(context: AnalysisContext) -> bytes:
    """UTF-8 HTML; everything that comes from data is escaped by the template."""
    conditions = "; ".join(map(context.describe, context.selection.conditions)) or "all scored cases"
    result = findings.of_cases(context)
    shown = result.findings[:FINDINGS]
    workspace = get_workspace(context.service)
    own = tags.tags_of(context, workspace)
    names = tags.kind_names(workspace)
    return write_page(
        "error_analysis/report.html",
        title="Error analysis",
        subtitle=f"{listing(map(model_name, context.models))} on {conditions}",
        made_at=datetime.now(UTC),
        fingerprint=context.service.engine.cohort.fingerprint,
        facts=_facts(context, conditions),
        metrics=overall_table(context),
        findings=[(sentence(f, context.title, context.other), numbers(f, context.other)) for f in shown],
        more=len(result.findings) - len(shown),
        method=findings.method(result),
        tree=_tree(context),
        examples=list(_examples(context, shown)),
        tag_summary=tags.tag_summary(own) if own else "",
        tags=tags.count_table(context, names, own) if own else None,
        kappa=_kappa(own),
    )


def _facts(context: AnalysisContext, conditions: str) -> list[tuple[str, str]]:
    fingerprint = context.service.engine.cohort.fingerprint
    people = len(set(context.analysis.frame.patient_ids[context.within].tolist()))
    facts = [
        ("Data", f"{fingerprint.label}, {fingerprint.patients:,} patients. "
                 f"{wording.data_kind(fingerprint.synthetic, fingerprint.label)}"),
        ("Cases", f"{count(int(context.within.sum()), 'case')} of {count(people, 'patient')} ({conditions})"),
    ]  # fmt: skip
    for name in context.models:
        model = context.analysis.models[name]
        text = f"cut-off {cut_off(model.threshold)}, scored {day(model.scored_at)}"
        facts.append((model_name(name), text + (f", weights {model.digest[:12]}" if model.digest else "")))
    return facts


def _tree(context: AnalysisContext) -> str:
    """What the error tree found, in a sentence; empty where nothing."""
    try:
        grown = tree.grow(context, "error", "", 3)
    except LeaderError:
        return ""
    return tree.summary(context, grown, TARGETS["error"]) if len(grown.nodes) > 1 else ""


def _kappa(own: Sequence[tags.RowTag]) -> str:
    """The agreement of the annotators with most rows in common."""
    pairs = tags.agreements(own)
    if not pairs:
        return ""
    first, second, (whole, *_) = pairs[0]
    kappa = "not defined: one answer only" if whole.kappa is None else f"{whole.kappa:.2f}"
    return f"Cohen's kappa of {first} and {second} over {count(whole.rows, 'row')}: {kappa}."


def _examples(context: AnalysisContext, shown: Sequence[ErrorFinding]) -> Iterator[ExampleCase]:
    """A typical case of each of the first findings, every patient once; without any, of all cases.

    The class that a finding is about comes first in the lists of its case.
    """
    analysis, used = context.analysis, set[int]()
    sources: list[tuple[str, tuple[Condition, ...]]] = [
        (sentence(f, context.title, context.other), f.conditions) for f in shown
    ]
    sources += [("A typical case of all chosen", ())] * EXAMPLES
    error = analysis.metrics(context.model).jaccard
    for why, conditions in sources:
        if len(used) == EXAMPLES:
            return
        rows = np.flatnonzero(context.within & analysis.mask(Selection(conditions)) & ~np.isnan(error))
        rows = rows[~np.isin(analysis.frame.patient_ids[rows], list(used))]
        if len(rows):
            row = int(rows[np.argsort(error[rows], kind="stable")[len(rows) // 2]])
            used.add(int(analysis.frame.patient_ids[row]))
            first = next((c.names[0] for c in conditions if c.kind == "class"), "")
            yield _example(context, row, why, first)


def _example(context: AnalysisContext, row: int, why: str, first: str) -> ExampleCase:
    analysis, cohort = context.analysis, context.service.engine.cohort
    frame, choices = analysis.frame, analysis.choices
    patient, visit = int(frame.patient_ids[row]), int(frame.numbers["visits"][row])
    case = cohort.case(patient, visit)
    own = choices.rows == row
    given, codes = choices.by(None)[own], choices.classes[own]
    by_model = {name: choices.by(name)[own] for name in context.models}

    def named(mask: np.ndarray) -> str:
        own_codes = sorted(
            (analysis.codes[code] for code in codes[mask].tolist()), key=lambda code: code != first
        )
        words = list(map(context.title, own_codes))
        return "; ".join(words[:_NAMED]) + (f" and {len(words) - _NAMED} more" if len(words) > _NAMED else "")

    both = np.logical_and.reduce(list(by_model.values()))
    neither = ~np.logical_or.reduce(list(by_model.values()))
    several = len(by_model) > 1
    lists = [("Missed by both" if several else f"Missed by the {context.model}", named(given & neither))]
    for name, chosen in by_model.items() if several else ():
        lists.append((f"Missed by the {name} alone", named(given & ~chosen & ~neither)))
    lists.append(
        ("Suggested by both, not ordered" if several else "Suggested, not ordered", named(~given & both))
    )
    main = cohort.title("diagnosis", case.current.diagnoses[0]) if case.current.diagnoses else ""
    age, gender = frame.numbers["age"][row], case.profile.get("gender", UNKNOWN)
    about = [
        f"{age:.0f} years" if age == age else "",
        field_value("gender", gender).lower() if gender != UNKNOWN else "",
        f"visit {visit}",
        main,
    ]
    scores = ", ".join(
        f"{model_name(name)} {format_metric('jaccard', float(analysis.metrics(name).jaccard[row]))}"
        for name in by_model
    )
    return ExampleCase(
        patient,
        ", ".join(filter(None, about)),
        why,
        f"{count(int(given.sum()), 'class', 'classes')} ordered; Jaccard: {scores}",
        tuple((heading, words) for heading, words in lists if words),
    )
