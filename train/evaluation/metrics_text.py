"""Metrics on the console: the paper's table, fingerprints, and a plain sentence where the metrics mean little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from leader_core.domain import Fingerprint
from leader_core.evaluation.metrics import LABELS
from train.console import Report

FEW_PATIENTS: Final = 1_000
FEW_CASES: Final = 100
SHOWN: Final = tuple(LABELS.items())


def show_table(report: Report, title: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Every group a row: mean ± standard deviation over ten rounds of 80 %, and the 95 % interval of PRAUC."""
    header = ["group", "cases", *(label for _, label in SHOWN), "PRAUC 95 %", "real DDI", "real med."]
    rows = []
    for name, group in groups.items():
        prauc = group["prauc"]
        rows.append(
            [
                f"{name} (few)" if group.get("few") else name,
                group["cases"],
                *(_spread(group[key], 2 if key == "medications" else 4) for key, _ in SHOWN),
                "-" if prauc is None else f"{prauc['low']:.4f} to {prauc['high']:.4f}",
                _number(group["real_ddi_rate"], 4),
                _number(group["real_medications"], 2),
            ]
        )
    report.table(title, header, rows)


def show_differences(report: Report, against: Mapping[str, Any]) -> None:
    """Every group a row: this model minus the other, the 95 % interval and p of each figure."""
    header = ["group", *(label for _, label in SHOWN)]
    rows = [[name, *(_difference(row[key]) for key, _ in SHOWN)] for name, row in against["groups"].items()]
    report.table(f"Difference to {against['name']} (95 % interval; p)", header, rows)
    report.line(f"Tested by {against['method']}")


def show_sections(report: Report, sections: Mapping[str, Any]) -> None:
    """Every part a row: the metrics without it, and the difference from the cases as they are."""
    names = ("prauc", "jaccard", "f1")
    header = ["case", *(LABELS[name] for name in names), *(f"{LABELS[name]}, difference" for name in names)]
    rows = [
        [part, *(_number(row[name]["value"], 4) for name in names)]
        + [_difference(row["difference"][name]) if "difference" in row else "" for name in names]
        for part, row in sections["parts"].items()
    ]
    report.table(f"What the parts of a case are worth, {sections['cases']:,} later visits", header, rows)


def show_reliability(
    report: Report, reliability: Mapping[str, Any], conformal: Sequence[Mapping[str, Any]]
) -> None:
    """How well calibrated the probabilities are, and how often the conformal sets cover what they should."""
    calibrated = (
        "as the model gives them"
        if reliability["temperature"] is None
        else f"calibrated with temperature {reliability['temperature']:.3f} and bias {reliability['bias']:+.3f}"
    )
    report.line(f"Expected calibration error {reliability['ece']:.4f}, probabilities {calibrated}")
    if conformal:
        header = ["share covered", "confidence", "cases covered", "standard error", "classes a case"]
        names = ("share", "confidence", "kept", "standard_error", "medications")
        report.table("Conformal sets", header, [[each[name] for name in names] for each in conformal])


def fingerprint_line(label: str, fingerprint: Fingerprint) -> str:
    """One sentence that says what a cohort is."""
    f = fingerprint
    return (
        f"{label}: {f.label} [{f.digest[:12]}], {f.preset} preset, ATC level {f.atc_level}, {f.patients:,} patients "
        f"({f.single_visit_patients:,} with one visit), {f.visits:,} visits, {f.diagnoses:,} diagnosis, "
        f"{f.procedures:,} procedure and {f.medications:,} medication codes, interaction table density "
        f"{f.ddi_density:.4f}{', synthetic data' if f.synthetic else ''}"
    )


def worth_quoting(trained_on: Fingerprint, cases: int) -> list[str]:
    """Plain words where a model learned from too little, or is evaluated on too little."""
    notes = []
    if trained_on.patients < FEW_PATIENTS:
        notes.append(
            f"Trained on a cohort of {trained_on.patients:,} patients: so few train nothing worth quoting. "
            "These metrics show that the path runs, not what the method can do."
        )
    if cases < FEW_CASES:
        notes.append(
            f"Judged on {cases:,} cases: the intervals are wide, and differences within them mean nothing."
        )
    if trained_on.synthetic:
        notes.append("Trained on synthetic patients: never to be compared with results from real hospitals.")
    return notes


def _spread(score: Mapping[str, float] | None, digits: int) -> str:
    return "-" if score is None else f"{score['mean']:.{digits}f} ± {score['std']:.{digits}f}"


def _difference(difference: Mapping[str, float] | None) -> str:
    if difference is None:
        return "-"
    return f"{difference['value']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f}; {difference['p']:.4f})"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
