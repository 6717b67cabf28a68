"""Two models on the same cases: the difference of each metric, its interval, and how easily chance gives as much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.evaluation.bootstrap import paired_intervals, per_person, share, swap_test
from leader_core.evaluation.metrics import METRICS, RESAMPLES, Bools, CaseMetrics, sums

SWAPS: Final = 2_000
METHOD: Final = (
    "difference with its 95 % interval by bootstrap over patients (both models on the same draws); "
    f"p of a two-sided paired permutation test over patients with {SWAPS:,} permutations, not corrected for "
    "the number of comparisons"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """First model minus second."""

    value: float
    low: float
    high: float
    p: float


def compare(
    first: CaseMetrics,
    second: CaseMetrics,
    groups: Mapping[str, Bools],
    *,
    patients: NDArray[np.int64] | None = None,
    with_rates: bool = True,
    seed: int = 42,
    resamples: int = RESAMPLES,
    swaps: int = SWAPS,
) -> dict[str, dict[str, Difference | None]]:
    """Differences by group and metric; None where a group is empty or the metric is not defined in it.

    Args:
        first: metrics of each case.
        second: the same cases in the same order.
        groups: name -> (N,) membership.
        patients: (N,) the patient of each case; by default every case is another patient's.
        with_rates: whether the metrics were counted with an interaction table.

    Raises:
        ValueError: the two do not hold the same number of cases.
    """
    if len(first) != len(second):
        raise ValueError(
            f"{len(first)} cases and {len(second)} cases cannot be compared: expected the same ones"
        )
    owners = np.arange(len(first)) if patients is None else patients
    return {
        name: _difference(first, second, np.flatnonzero(mask), owners, with_rates, seed, resamples, swaps)
        for name, mask in groups.items()
    }


def _difference(
    first: CaseMetrics,
    second: CaseMetrics,
    rows: NDArray[np.int64],
    owners: NDArray[np.int64],
    with_rates: bool,
    seed: int,
    resamples: int,
    swaps: int,
) -> dict[str, Difference | None]:
    if not len(rows):
        return dict.fromkeys(METRICS)
    _, owner = np.unique(owners[rows], return_inverse=True)
    pairs = []
    for cases in (first, second):
        top, bottom = sums(cases, rows)
        pairs.append((per_person(top, owner), per_person(bottom, owner)))
    values = share(*(part.sum(0) for part in pairs[0])) - share(*(part.sum(0) for part in pairs[1]))
    random = np.random.default_rng(seed)
    low, high = paired_intervals(pairs[0], pairs[1], resamples, random)
    p = swap_test(pairs[0], pairs[1], swaps, random)
    defined = [
        pairs[0][1][:, i].any() if name != "ddi_rate" else with_rates for i, name in enumerate(METRICS)
    ]
    return {
        name: Difference(*map(float, (values[i], low[i], high[i], p[i]))) if defined[i] else None
        for i, name in enumerate(METRICS)
    }
