"""A model's figures as tables of text: groups with intervals, published rows, calibration and kept promises.

Values in, text out; refuses to know where figures come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard.models.card import GROUPS, METRICS, cell, has_metrics
from dashboard.models.published import PAPER, Figures
from dashboard.shared.formatting import MISSING, count
from leader_core.evaluation.calibration import Calibration, Cutoff, KeptPromise
from leader_core.evaluation.record import Judgement
from leader_core.model_folder import Manifest

_SHOWN: Final = ("prauc", "jaccard", "precision", "recall", "f1", "ddi_rate", "medications")


def table(
    groups: Mapping[str, Any], where: str, headings: Sequence[str] = ()
) -> tuple[list[str], list[list[str]]]:
    """Groups down, metrics across; understands nested groups as well as one flat table. Empty without figures.

    Args:
        where: what stands in the first column: which cases these are.
        headings: those of the table that these rows join; by default whatever metrics there are.
    """
    nested: dict[str, Mapping[str, Any]] = {
        k: v for k, v in groups.items() if isinstance(v, Mapping) and has_metrics(v)
    }
    if not nested and has_metrics(groups):
        nested = {"overall": groups}
    order = list(GROUPS)
    ranked = sorted(nested.items(), key=lambda g: order.index(g[0]) if g[0] in order else len(order))
    names = [m for m in METRICS if m in _SHOWN and any(m in group for group in nested.values())]
    if headings:
        names = [m for m in METRICS if METRICS[m] in headings and (m in names or m in _SHOWN)]
    head = list(headings) or ["Measured on", "Group", "Cases", *(METRICS[m] for m in names)]
    rows = []
    for place, (key, group) in enumerate(ranked):
        cases = group.get("cases")
        rows.append(
            [
                where if place == 0 else "",
                GROUPS.get(key, key),
                f"{int(cases):,}" if isinstance(cases, int | float) else MISSING,
                *(cell(group.get(m)) for m in names),
            ]
        )
    return (head, rows) if rows else (list(headings), [])


def place(judged: Judgement, manifest: Manifest) -> str:
    """Which cases a judgement is about."""
    if judged.cohort_digest == manifest.cohort.digest:
        return judged.split.capitalize() if judged.split != "all" else "All patients"
    kind = "invented" if judged.synthetic else "real"
    return f"{judged.cohort} ({kind} patients, none of them learned from)"


def published_row(figures: Figures, headings: Sequence[str]) -> list[str]:
    """The published figures as one more row; a dash where nothing was published."""
    by_heading = {METRICS[m]: figures.of(m) for m in METRICS}
    values = [by_heading.get(heading) for heading in headings[3:]]
    told = [MISSING if value is None else f"{value:.3f}" for value in values]
    return [f"Published: {PAPER}, {figures.data}", "All cases", MISSING, *told]


def calibration_sentence(
    fitted: Calibration | None, errors: tuple[float | None, float | None], where: str
) -> str:
    """The expected calibration error before and after, and what was done."""
    before, after = errors
    if fitted is None:
        gap = f"{before:.3f}" if before is not None else "unknown"
        return f"Expected calibration error on {where}: {gap}. This model carries no calibration."
    parts = [f"Expected calibration error on {where}:"]
    if before is not None:
        parts.append(f"{before:.3f} before and")
    parts.append(f"{after:.3f} after calibration" if after is not None else "unknown after calibration")
    return f"{' '.join(parts)} (temperature {fitted.temperature:.2f}, bias {fitted.bias:+.2f})."


def promises(kept: Sequence[KeptPromise]) -> tuple[list[str], list[list[str]]]:
    """Each promise beside what was kept of it on test; a promise missed by more than two standard errors says so."""
    headings = ["The set holds", "Promised", "Kept", "Classes a case"]
    rows = []
    for each in kept:
        short = each.confidence - each.kept > 2 * each.standard_error
        share = "everything prescribed" if each.share >= 1 else f"{each.share:.0%} of what is prescribed"
        rows.append(
            [
                share,
                f"{each.confidence:.0%}",
                f"{each.kept:.1%} ± {each.standard_error:.1%}{' ▼ short' if short else ''}",
                f"{each.medications:.1f}",
            ]
        )
    return headings, rows


def cutoffs(offered: Sequence[Cutoff]) -> tuple[list[str], list[list[str]]]:
    """Each promise and the cut-off that is to keep it."""
    rows = [
        [
            "everything prescribed" if each.share >= 1 else f"{each.share:.0%} of what is prescribed",
            f"{each.confidence:.0%}",
            f"{each.cutoff:.3f}" if each.cutoff is not None else "no set keeps it",
        ]
        for each in offered
    ]
    return ["The set holds", "Promised", "Cut-off"], rows


def cases_of(groups: Mapping[str, Any]) -> str:
    """How many cases a table is about."""
    overall = groups.get("overall", groups)
    cases = overall.get("cases") if isinstance(overall, Mapping) else None
    return count(int(cases), "case") if isinstance(cases, int | float) else ""
