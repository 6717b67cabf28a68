"""The cut-off moved from 0 to 1: what it does to agreement, to the number of classes and to interacting pairs.

Exact from probabilities, at 99 cut-offs; a class is chosen at or above the cut-off, as everywhere.
Refuses to know databases and pages. Letters: N cases, A classes, T cut-offs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.frame import Bools
from leader_core.evaluation.bootstrap import share

STEPS: Final = 100
CUTS: Final = np.arange(1, STEPS) / STEPS
"""(T,) the cut-offs."""
_BLOCK: Final = 4096  # cases worked on at a time

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Means over cases at each cut-off, (T,) each; the interaction rate is pooled over pairs."""

    cuts: Floats
    jaccard: Floats
    f1: Floats
    precision: Floats
    recall: Floats
    medications: Floats
    ddi_rate: Floats
    cases: int

    @property
    def best(self) -> float:
        """The cut-off with the highest mean Jaccard."""
        return float(self.cuts[int(self.jaccard.argmax())])


def steps_passed(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """How many of the cut-offs each probability is at or above; the same comparison in 32 bits as when it was scored."""
    limits = np.concatenate([[-np.inf], CUTS, [np.inf]]).astype(np.float32)
    guess = np.clip(scores * np.float32(STEPS), 0, STEPS - 1).astype(np.uint8)
    guess -= (scores < limits[guess]).astype(np.uint8)
    guess += (scores >= limits[guess + 1]).astype(np.uint8)
    return guess


def sweep(
    scores: NDArray[np.float32], truth: Bools, known: Bools, interactions: Bools, within: Bools
) -> Sweep:
    """All figures at all cut-offs.

    Args:
        scores: (N, A) probabilities.
        truth: (N, A) what was prescribed.
        known: (A,) false for classes that the model cannot name: never chosen.
        interactions: (A, A) symmetric, the table that the rate counts.
        within: (N,) the cases to look at.
    """
    rows = np.flatnonzero(within)
    totals = {name: np.zeros(STEPS - 1) for name in ("jaccard", "f1", "precision", "recall", "medications")}
    all_pairs, listed = np.zeros(STEPS - 1), np.zeros(STEPS, np.int64)
    first, second = np.nonzero(np.triu(interactions, 1))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        passed = np.where(known, steps_passed(scores[block]), np.uint8(0))
        real = truth[block]
        chosen, both = _reached(passed, None), _reached(passed, real)
        actual = real.sum(1, keepdims=True)
        agree = (chosen == 0) & (actual == 0)
        totals["jaccard"] += _ratio(both, chosen + actual - both, agree).sum(0)
        totals["f1"] += _ratio(2 * both, chosen + actual, agree).sum(0)
        totals["precision"] += _ratio(both, chosen, agree).sum(0)
        totals["recall"] += _ratio(both, np.broadcast_to(actual, both.shape), agree).sum(0)
        totals["medications"] += chosen.sum(0)
        all_pairs += (chosen * (chosen - 1)).sum(0) / 2
        if len(first):
            pairs = np.minimum(passed[:, first], passed[:, second])
            listed += np.bincount(pairs.ravel(), minlength=STEPS)
    interacting = listed[::-1].cumsum()[::-1][1:]
    means = {name: total / max(1, len(rows)) for name, total in totals.items()}
    return Sweep(cuts=CUTS, ddi_rate=share(interacting, all_pairs), cases=len(rows), **means)


def _reached(passed: NDArray[np.uint8], only: Bools | None) -> NDArray[np.int64]:
    """(B, T) how many classes (of those in `only`) are at or above each cut-off."""
    count = len(passed)
    flat = passed + (np.arange(count) * STEPS)[:, None]
    kept = flat.ravel() if only is None else flat[only]
    counts = np.bincount(kept, minlength=count * STEPS).reshape(count, STEPS)
    return counts[:, ::-1].cumsum(1)[:, -2::-1]


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64], agree: Bools) -> Floats:
    """part / whole; 1 where both sides are empty, 0 where only the whole is (as in `leader_core.evaluation.metrics`)."""
    out = np.where(agree, 1.0, 0.0)
    return np.divide(part, whole, out=out, where=whole > 0)
