"""How alike a synthetic and a real cohort are, read through the same cohort builder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from leader_core.cohort import Cohort
from leader_core.cohort.columns import CohortColumns
from leader_core.domain import KINDS, Kind
from train.console import Report

_LISTED: Final = 15
_COMMON: Final = 0.05  # classes at least this frequent in the real cohort enter the pairs


@dataclass(frozen=True, slots=True)
class CohortShape:
    """One cohort in a few numbers."""

    patients: int
    visits: int
    visits_per_patient: float
    single_visit_share: float
    diagnoses_mean: float
    diagnoses_median: float
    procedures_mean: float
    without_procedure: float
    classes_mean: float
    classes_median: float
    classes_deviation: float
    repeated_classes: float  # share of the last visit's classes prescribed again, over patients with history
    unseen_diagnoses: float  # share of validation and test diagnosis occurrences never seen in training


@dataclass(frozen=True, slots=True)
class Realism:
    """A real cohort, a synthetic one, and how their medication classes agree."""

    real: CohortShape
    synthetic: CohortShape
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
    real_cohort, synthetic_cohort = _read(real), _read(synthetic)
    classes = sorted(set(real_cohort[1]) | set(synthetic_cohort[1]))
    a, b = (_prescribed(columns, classes) for columns in (real_cohort[0], synthetic_cohort[0]))
    rate_a, rate_b = a.mean(axis=0), b.mean(axis=0)
    common = np.flatnonzero((rate_a >= _COMMON) & (rate_b > 0))
    pair_a, pair_b = _pairs(a[:, common]), _pairs(b[:, common])
    enough = (pair_a[0] * len(a) >= 3) & (pair_b[0] > 0)
    far = np.argsort(-np.abs(rate_a - rate_b))[:_LISTED]
    return Realism(
        real=real_cohort[2],
        synthetic=synthetic_cohort[2],
        prevalence_spearman=float(spearmanr(rate_a, rate_b).statistic),
        prevalence_difference=float(np.abs(rate_a - rate_b).mean()),
        pairs_pearson=float(np.corrcoef(pair_a[0], pair_b[0])[0, 1]),
        lift_pearson=float(np.corrcoef(pair_a[1][enough], pair_b[1][enough])[0, 1]),
        only_real=tuple(c for c, x, y in zip(classes, rate_a, rate_b, strict=True) if x > 0 and y == 0),
        farthest=tuple((classes[i], float(rate_a[i]), float(rate_b[i])) for i in far),
    )


def show(result: Realism, report: Report) -> dict[str, Any]:
    """Print the comparison and return it as plain values."""
    real, synthetic = asdict(result.real), asdict(result.synthetic)
    report.table(
        "Shape of the cohorts",
        ("per cohort", "real", "synthetic"),
        [(name.replace("_", " "), float(real[name]), float(synthetic[name])) for name in real],
    )
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


def _read(path: Path) -> tuple[CohortColumns, Sequence[str], CohortShape]:
    with closing(Cohort.open(path)) as cohort:
        columns = cohort.columns("all", "all")
        seen = set(cohort.vocabulary_codes("diagnosis", "train"))
        later = [
            code
            for split in ("validation", "test")
            for code in _occurring(cohort.columns(split, "all"), "diagnosis")
        ]
    counts = {kind: columns.codes[kind].ids.lengths for kind in KINDS}
    visits_each = np.unique(columns.patient_ids, return_counts=True)[1]
    classes = columns.codes["medication"].table
    shape = CohortShape(
        patients=visits_each.size,
        visits=len(columns),
        visits_per_patient=float(visits_each.mean()),
        single_visit_share=float((visits_each == 1).mean()),
        diagnoses_mean=float(counts["diagnosis"].mean()),
        diagnoses_median=float(np.median(counts["diagnosis"])),
        procedures_mean=float(counts["procedure"].mean()),
        without_procedure=float((counts["procedure"] == 0).mean()),
        classes_mean=float(counts["medication"].mean()),
        classes_median=float(np.median(counts["medication"])),
        classes_deviation=float(counts["medication"].std()),
        repeated_classes=_repeated(columns, classes),
        unseen_diagnoses=float(np.mean([code not in seen for code in later])) if later else float("nan"),
    )
    return columns, classes, shape


def _occurring(columns: CohortColumns, kind: Kind) -> list[str]:
    column = columns.codes[kind]
    return [column.table[i] for i in column.ids.values]


def _prescribed(columns: CohortColumns, classes: Sequence[str]) -> NDArray[np.bool_]:
    """(R visits, classes): which class was prescribed."""
    column = columns.codes["medication"]
    where = {code: i for i, code in enumerate(classes)}
    column_of = np.asarray([where[code] for code in column.table])
    table = np.zeros((columns.visits, len(classes)), dtype=bool)
    table[column.ids.owners, column_of[column.ids.values]] = True
    return table


def _pairs(table: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of visits with both classes of each pair, and the log of observed to expected."""
    values = table.astype(np.float64)
    both = values.T @ values / len(values)
    rate = values.mean(axis=0)
    upper = np.triu_indices(len(rate), 1)
    expected = np.maximum(np.outer(rate, rate)[upper], 1e-12)
    return both[upper], np.log(np.maximum(both[upper], 1e-12) / expected)


def _repeated(columns: CohortColumns, classes: Sequence[str]) -> float:
    table = _prescribed(columns, classes)
    later = columns.current[columns.history_lengths > 0]
    if not later.size:
        return float("nan")
    before = table[later - 1]
    return float((before & table[later]).sum() / max(before.sum(), 1))
