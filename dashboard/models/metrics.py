"""A model's metrics as tables of text: groups with intervals, calibration, conformal sets, and the published metrics.

Published: Table 2 of arXiv 2402.02803, the mean over the last visits of test patients, medications as ATC classes,
patients split 8:1:1 in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboard.shared.analysis import METRICS
from dashboard.shared.formatting import MISSING, percent
from leader_core.evaluation import metrics
from leader_core.evaluation.calibration import Calibration, Cutoff, KeptPromise
from leader_core.evaluation.record import StoredEvaluation
from leader_core.model_folder import Manifest

LABELS: Final[Mapping[str, str]] = {name: METRICS[name] for name in metrics.LABELS}
"""Headings of tables, in the order of the paper's."""
GROUPS: Final[Mapping[str, str]] = {
    "overall": "All cases",
    "single-visit": "First visit only",
    "multi-visit": "Two or more visits",
}
_AT_A_GLANCE: Final = ("prauc", "jaccard", "f1", "medications")
_PAPER: Final = "LEADER (arXiv 2402.02803)"
_PAPER_LEVEL: Final = 3
_FEWEST: Final = 5_000  # patients; the published cohorts hold 6,350 and more

Table = tuple[list[str], list[list[str]]]
"""Headings and rows."""


def cell(value: Any) -> str:
    """A metric with its 95 % interval where it has one; a dash where there is none.

    >>> cell({"value": 0.7216, "low": 0.7137, "high": 0.7297}), cell(18.51), cell(None)
    ('0.722 (0.714 to 0.730)', '18.5', '–')
    """
    record = value if isinstance(value, Mapping) else {"value": value}
    number = record.get("value")
    if not isinstance(number, int | float) or number != number:
        return MISSING
    digits = 1 if abs(number) >= 10 else 3
    if "low" not in record:
        return f"{number:,.{digits}f}"
    return f"{number:,.{digits}f} ({record['low']:,.{digits}f} to {record['high']:,.{digits}f})"


def overall(validation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The group of all cases, in a table with groups as well as in a flat one."""
    group = validation.get("overall")
    return group if isinstance(group, Mapping) else validation


def headline(validation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The four metrics of all validation cases to see at a glance: (label, value, interval or spread)."""
    rows = []
    for name in _AT_A_GLANCE:
        if (text := cell(overall(validation).get(name))) != MISSING:
            value, _, around = text.partition(" ")
            rows.append((LABELS[name], value, around.strip("()")))
    return rows


def side_by_side(names: Sequence[str], tables: Sequence[Mapping[str, Any]]) -> Table:
    """Metrics down, models across: all validation cases of each."""
    groups = [overall(table) for table in tables]
    shown = [m for m in LABELS if any(cell(group.get(m)) != MISSING for group in groups)]
    return ["", *names], [[LABELS[m], *(cell(group.get(m)) for group in groups)] for m in shown]


def spread(validation: Mapping[str, Any]) -> str:
    """What the numbers of a validation table are: with intervals, or measured once."""
    if overall(validation) is validation:
        return "measured once, on all validation cases: no spread was stored"
    return "with 95 % intervals over patients"


def table(groups: Mapping[str, Any], where: str, headings: Sequence[str] = ()) -> Table:
    """Groups down, metrics across; a flat table is the group of all cases. Empty without metrics.

    Args:
        groups: name of a group -> metric -> value.
        where: the text of the first column: which cases these are.
        headings: those of the table that these rows join; by default whatever metrics there are.
    """
    if overall(groups) is groups:
        groups = {"overall": groups}
    known = {name: groups[name] for name in GROUPS if name in groups}
    names = [m for m in LABELS if any(m in group for group in known.values())]
    if headings:
        names = [m for m in LABELS if LABELS[m] in headings]
    if not names:
        return list(headings), []
    rows = []
    for number, (name, group) in enumerate(known.items()):
        cases = f"{group['cases']:,}" if "cases" in group else MISSING
        rows.append([where if number == 0 else "", GROUPS[name], cases, *(cell(group.get(m)) for m in names)])
    return list(headings) or ["Measured on", "Group", "Cases", *(LABELS[m] for m in names)], rows


def cases_of(evaluation: StoredEvaluation, manifest: Manifest) -> str:
    """Which cases a judgement is about."""
    if evaluation.cohort_digest == manifest.cohort.digest:
        return evaluation.split.capitalize() if evaluation.split != "all" else "All patients"
    kind = "invented" if evaluation.synthetic else "real"
    return f"{evaluation.cohort} ({kind} patients, none of them learned from)"


def calibration_sentence(
    fitted: Calibration | None, errors: tuple[float | None, float | None], where: str
) -> str:
    """The expected calibration error before and after, and how it was calibrated."""
    before, after = errors
    if fitted is None:
        gap = f"{before:.3f}" if before is not None else "unknown"
        return f"Expected calibration error on {where}: {gap}. This model carries no calibration."
    parts = [f"Expected calibration error on {where}:"]
    if before is not None:
        parts.append(f"{before:.3f} before and")
    parts.append(f"{after:.3f} after calibration" if after is not None else "unknown after calibration")
    return f"{' '.join(parts)} (temperature {fitted.temperature:.2f}, bias {fitted.bias:+.2f})."


def promises(results: Sequence[KeptPromise]) -> Table:
    """Sets down, promised coverage across: the coverage reached on test and the size of the set.

    A shortfall of more than two standard errors is marked.
    """

    def reached(each: KeptPromise) -> str:
        short = each.confidence - each.kept > 2 * each.standard_error
        return f"{percent(each.kept, 1)}{' ▼ short' if short else ''} ({each.medications:.1f} classes)"

    return _by_confidence(
        "in {} of cases", [(each.share, each.confidence, reached(each)) for each in results]
    )


def cutoffs(offered: Sequence[Cutoff]) -> Table:
    """Sets down, promised coverage across: the cut-off that is to keep the promise."""
    cells = [
        (each.share, each.confidence, "no set keeps it" if each.cutoff is None else f"{each.cutoff:.3f}")
        for each in offered
    ]
    return _by_confidence("cut-off for {} of cases", cells)


def _by_confidence(heading: str, cells: Sequence[tuple[float, float, str]]) -> Table:
    """(share of what is ordered, confidence, text) as a table."""
    confidences = sorted({confidence for _, confidence, _ in cells})
    texts = {(share, confidence): text for share, confidence, text in cells}
    rows = [
        [_share(share), *(texts.get((share, confidence), MISSING) for confidence in confidences)]
        for share in dict.fromkeys(share for share, _, _ in cells)
    ]
    return ["The set holds", *(heading.format(percent(confidence)) for confidence in confidences)], rows


def _share(share: float) -> str:
    return "everything ordered" if share >= 1 else f"{percent(share)} of what is ordered"


@dataclass(frozen=True, slots=True)
class PublishedMetrics:
    """What was published of one model on one data set; all groups of cases together."""

    data: str
    prauc: float
    jaccard: float
    f1: float


_PUBLISHED: Final[Mapping[tuple[str, str], PublishedMetrics]] = {
    ("mimic3", "teacher"): PublishedMetrics("MIMIC-III", 0.7816, 0.5391, 0.6921),
    ("mimic3", "student"): PublishedMetrics("MIMIC-III", 0.7795, 0.5175, 0.6737),
    ("mimic4", "teacher"): PublishedMetrics("MIMIC-IV", 0.7120, 0.4779, 0.6296),
    ("mimic4", "student"): PublishedMetrics("MIMIC-IV", 0.7020, 0.4483, 0.6005),
}


def published(manifest: Manifest) -> PublishedMetrics | None:
    """What was published of such a model on such data."""
    return _PUBLISHED.get((manifest.cohort.source, manifest.kind))


def published_row(metrics: PublishedMetrics, headings: Sequence[str]) -> list[str]:
    """The published metrics as one more row; a dash where nothing was published."""
    values = {LABELS[name]: getattr(metrics, name) for name in ("prauc", "jaccard", "f1")}
    texts = [f"{values[heading]:.3f}" if heading in values else MISSING for heading in headings[3:]]
    return [f"Published: {_PAPER}, {metrics.data}", "All cases", MISSING, *texts]


def reasons_against(manifest: Manifest, evaluation: StoredEvaluation | None) -> tuple[str, ...]:
    """Why this model's metrics may not be compared with the published ones; empty where they may."""
    cohort, against = manifest.cohort, []
    if cohort.synthetic:
        against.append(
            "it was measured on synthetic data: invented patients, easier and harder in ways of their own"
        )
    elif "demo" in cohort.label.lower():
        against.append("it was measured on the open demo's 100 patients, the published ones on thousands")
    elif cohort.patients < _FEWEST:
        against.append(f"its cohort has {cohort.patients:,} patients, the published ones 6,350 and more")
    if published(manifest) is None:
        against.append(f"nothing was published on data of the kind “{cohort.source}”")
    if cohort.preset != "paper":
        against.append(f"the cohort was built with the “{cohort.preset}” preset, not as the paper built it")
    if cohort.atc_level != _PAPER_LEVEL:
        against.append(
            f"its medications are at ATC level {cohort.atc_level}, the published ones at level {_PAPER_LEVEL}"
        )
    if not cohort.synthetic:
        if evaluation is None:
            against.append("it has no test metrics, only those on validation")
        elif evaluation.cohort_digest != cohort.digest or evaluation.split != "test":
            against.append("it was judged on other patients than the test split of its own cohort")
    return tuple(against)


def not_comparable(against: tuple[str, ...]) -> str:
    """The same as one sentence."""
    return f"Not comparable with published metrics: {'; '.join(against)}."
