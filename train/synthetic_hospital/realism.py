"""How alike a synthetic and a real cohort are, read through the same cohort builder."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.domain import KINDS
from train.console import Report
from train.evaluation.inputs import prescriptions

_LISTED: Final = 15
_COMMON: Final = 0.05  # classes at least this frequent in the real cohort enter the pairs


@dataclass(frozen=True, slots=True)
class Realism:
    """A real cohort, a synthetic one, and how their medication classes agree."""

    real: dict[str, float]  # `_shape`
    synthetic: dict[str, float]
    prevalence_spearman: float  # over classes that occur in either
    prevalence_difference: float  # mean absolute, over the same classes
    pairs_pearson: float  # of the share of visits with both classes, over pairs of common classes
    lift_pearson: (
        float  # of log(observed / expected) for the same pairs: what goes together beyond popularity
    )
    only_real: tuple[str, ...]  # classes of the real cohort that the synthetic one never prescribes
    farthest: tuple[tuple[str, float, float], ...]  # class, real and synthetic prevalence


def compare(real: Path, synthetic: Path) -> Realism:
    """Measure two cohort databases against each other."""
    with closing(Cohort.open(real)) as one, closing(Cohort.open(synthetic)) as other:
        cohorts = [(cohort, cohort.columns("all", "all")) for cohort in (one, other)]
        shapes = [_shape(cohort, columns) for cohort, columns in cohorts]
    classes = sorted({code for _, columns in cohorts for code in columns.codes["medication"].table})
    a, b = (prescriptions(columns, np.arange(columns.visits), classes) for _, columns in cohorts)
    rate_a, rate_b = a.mean(axis=0), b.mean(axis=0)
    common = np.flatnonzero((rate_a >= _COMMON) & (rate_b > 0))
    pair_a, pair_b = _pairs(a[:, common]), _pairs(b[:, common])
    enough = (pair_a[0] * len(a) >= 3) & (pair_b[0] > 0)
    far = np.argsort(-np.abs(rate_a - rate_b))[:_LISTED]
    return Realism(
        real=shapes[0],
        synthetic=shapes[1],
        prevalence_spearman=float(spearmanr(rate_a, rate_b).statistic),
        prevalence_difference=float(np.abs(rate_a - rate_b).mean()),
        pairs_pearson=float(np.corrcoef(pair_a[0], pair_b[0])[0, 1]),
        lift_pearson=float(np.corrcoef(pair_a[1][enough], pair_b[1][enough])[0, 1]),
        only_real=tuple(c for c, x, y in zip(classes, rate_a, rate_b, strict=True) if x > 0 and y == 0),
        farthest=tuple((classes[i], float(rate_a[i]), float(rate_b[i])) for i in far),
    )


def show(result: Realism, report: Report) -> dict[str, Any]:
    """Print the comparison and return it as plain values."""
    rows = [(name.replace("_", " "), value, result.synthetic[name]) for name, value in result.real.items()]
    report.table("Shape of the cohorts", ("per cohort", "real", "synthetic"), rows)
    report.table(
        "Agreement of medication classes",
        ("measure", "value"),
        [
            ("rank correlation of prevalence (Spearman)", result.prevalence_spearman),
            ("mean difference of prevalence", result.prevalence_difference),
            ("co-prescription: correlation of shares of visits", result.pairs_pearson),
            ("co-prescription beyond popularity: correlation of log lift", result.lift_pearson),
        ],
    )
    report.table("Largest differences in prevalence", ("class", "real", "synthetic"), result.farthest)
    if result.only_real:
        report.line("Prescribed only in the real cohort: " + ", ".join(result.only_real))
    return asdict(result)


def _shape(cohort: Cohort, columns: CohortColumns) -> dict[str, float]:
    """All visits of a cohort in a few numbers; NaN where nobody has what a number is about."""
    counts = {kind: columns.codes[kind].ids.lengths for kind in KINDS}
    visits_each = np.unique(columns.patient_ids, return_counts=True)[1]
    seen = set(cohort.vocabulary_codes("diagnosis", "train"))
    unseen = [
        column.table[i] not in seen
        for split in ("validation", "test")
        for column in [cohort.columns(split, "all").codes["diagnosis"]]
        for i in column.ids.values
    ]
    later = columns.current[columns.history_lengths > 0]
    classes = columns.codes["medication"].table
    before, after = (prescriptions(columns, visits, classes) for visits in (later - 1, later))
    return {
        "patients": float(visits_each.size),
        "visits": float(len(columns)),
        "visits_per_patient": float(visits_each.mean()),
        "single_visit_share": float((visits_each == 1).mean()),
        "diagnoses_mean": float(counts["diagnosis"].mean()),
        "diagnoses_median": float(np.median(counts["diagnosis"])),
        "procedures_mean": float(counts["procedure"].mean()),
        "without_procedure": float((counts["procedure"] == 0).mean()),
        "classes_mean": float(counts["medication"].mean()),
        "classes_median": float(np.median(counts["medication"])),
        "classes_deviation": float(counts["medication"].std()),
        # of the last visit's classes prescribed again, over patients with history
        "repeated_classes": float((before & after).sum() / before.sum()) if before.any() else float("nan"),
        # of the diagnoses of validation and test that no training visit has
        "unseen_diagnoses": float(np.mean(unseen)) if unseen else float("nan"),
    }


def _pairs(table: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of visits with both classes of each pair, and the log of observed to expected."""
    values = table.astype(np.float64)
    both = values.T @ values / len(values)
    rate = values.mean(axis=0)
    upper = np.triu_indices(len(rate), 1)
    expected = np.maximum(np.outer(rate, rate)[upper], 1e-12)
    return both[upper], np.log(np.maximum(both[upper], 1e-12) / expected)
