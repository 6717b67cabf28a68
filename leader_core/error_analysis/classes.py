"""Class by class: how common each is, how well a model finds it, what its probabilities mean; and every cut-off.

Cut-offs are exact from probabilities, at 99 of them; a class is chosen at or above the cut-off, as everywhere.
Letters: N cases, A classes, B parts of 0 to 1, T cut-offs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.frame import Bools, Choices
from leader_core.evaluation.bootstrap import share
from leader_core.evaluation.calibration import BINS, bin_of
from leader_core.evaluation.metrics import counts_above, f1, jaccard, ratio

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

STEPS: Final = 100
THRESHOLDS: Final = np.arange(1, STEPS) / STEPS
"""(T,) the cut-offs."""
_BLOCK: Final = 2048  # cases worked on at a time: small enough for the processor's cache


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """What one model did with each class, over some cases; (A,) each."""

    model: str
    cases: int
    prescribed: Counts
    chosen: Counts
    hits: Counts  # both

    @property
    def missed(self) -> Counts:
        """Prescribed and not chosen."""
        return self.prescribed - self.hits

    @property
    def extra(self) -> Counts:
        """Chosen and not prescribed."""
        return self.chosen - self.hits

    @property
    def prevalence(self) -> Floats:
        """Share of cases that were prescribed it."""
        return self.prescribed / max(1, self.cases)

    @property
    def precision(self) -> Floats:
        """NaN where it is never chosen."""
        return _share(self.hits, self.chosen)

    @property
    def recall(self) -> Floats:
        """NaN where it is never prescribed."""
        return _share(self.hits, self.prescribed)

    @property
    def f1(self) -> Floats:
        """NaN where it is neither chosen nor prescribed."""
        return _share(2 * self.hits, self.chosen + self.prescribed)


def class_counts(choices: Choices, model: str, classes: int, within: Bools) -> ClassCounts:
    """Prescribed, chosen and both, class by class; `within` is (N,), cases that the model has scored."""
    inside = within[choices.rows]
    given, chosen = choices.by(None) & inside, choices.by(model) & inside

    def count(mask: Bools) -> Counts:
        return np.bincount(choices.classes[mask], minlength=classes)

    return ClassCounts(model, int(within.sum()), count(given), count(chosen), count(given & chosen))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Predicted and observed, class by class, in B equal parts of 0 to 1; (A, B) each."""

    counts: Counts
    predicted: Floats  # sum of probabilities
    observed: Counts  # prescribed

    def of(self, index: int | None = None) -> tuple[Counts, Floats, Floats]:
        """(B,) count, mean probability and share prescribed, of one class or of all; NaN in empty parts."""
        parts = [
            part.sum(0) if index is None else part[index]
            for part in (self.counts, self.predicted, self.observed)
        ]
        return parts[0], _share(parts[1], parts[0]), _share(parts[2], parts[0])

    @property
    def error(self) -> Floats:
        """(A,) expected calibration error of each class."""
        return np.abs(self.predicted - self.observed).sum(1) / np.maximum(1, self.counts.sum(1))

    @property
    def overall_error(self) -> float:
        """Expected calibration error over all pairs of case and class, as `leader_core.evaluation.calibration` has it."""
        predicted, observed = self.predicted.sum(0), self.observed.sum(0)
        return float(np.abs(predicted - observed).sum() / max(1, self.counts.sum()))

    @property
    def mean_predicted(self) -> Floats:
        """(A,) mean probability."""
        return _share(self.predicted.sum(1), self.counts.sum(1))

    @property
    def mean_observed(self) -> Floats:
        """(A,) share prescribed."""
        return _share(self.observed.sum(1), self.counts.sum(1))


def reliability(scores: NDArray[np.float32], truth: Bools, within: Bools, bins: int = BINS) -> Reliability:
    """Bins of every class.

    Args:
        scores: (N, A) probabilities.
        truth: (N, A) what was prescribed.
        within: (N,) the cases to look at.
        bins: B.
    """
    classes = scores.shape[1]
    size = classes * bins
    counts, observed = np.zeros(size, np.int64), np.zeros(size, np.int64)
    predicted = np.zeros(size)
    rows = np.flatnonzero(within)
    offset = np.arange(classes) * bins
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        own = scores[block]
        places = (bin_of(own, bins) + offset).ravel()
        counts += np.bincount(places, minlength=size)
        predicted += np.bincount(places, own.ravel(), minlength=size)
        observed += np.bincount(places[truth[block].ravel()], minlength=size)
    shape = classes, bins
    return Reliability(counts.reshape(shape), predicted.reshape(shape), observed.reshape(shape))


def truth_of(choices: Choices, cases: int, classes: int) -> Bools:
    """(N, A) what was prescribed."""
    out = np.zeros((cases, classes), bool)
    given = choices.by(None)
    out[choices.rows[given], choices.classes[given]] = True
    return out


def with_state(choices: Choices, index: int, who: Mapping[str, bool], cases: int) -> Bools:
    """(N,) cases in which a class was chosen by exactly those that `who` says, "prescribed" for what was given."""
    own = choices.classes == index
    out = np.ones(cases, bool)
    for name, yes in who.items():
        chosen = np.zeros(cases, bool)
        chosen[choices.rows[own & choices.by(None if name == "prescribed" else name)]] = True
        out &= chosen == yes
    return out


@dataclass(frozen=True, slots=True)
class Sweep:
    """Means over cases at each cut-off, (T,) each; the interaction rate is pooled over pairs."""

    thresholds: Floats
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
        return float(self.thresholds[int(self.jaccard.argmax())])


def steps_passed(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """How many of the cut-offs each probability is at or above; the same comparison in 32 bits as when it was scored."""
    limits = np.concatenate([[-np.inf], THRESHOLDS, [np.inf]]).astype(np.float32)
    guess = np.clip(scores * np.float32(STEPS), 0, STEPS - 1).astype(np.uint8)
    guess -= (scores < limits[guess]).astype(np.uint8)
    guess += (scores >= limits[guess + 1]).astype(np.uint8)
    return guess


def sweep(
    scores: NDArray[np.float32], truth: Bools, known: Bools, interactions: Bools, within: Bools
) -> Sweep:
    """Every metric at every cut-off.

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
        chosen, both = counts_above(passed, STEPS), counts_above(passed, STEPS, real)
        actual = real.sum(1, keepdims=True)
        agree = (chosen == 0) & (actual == 0)
        totals["jaccard"] += jaccard(both, chosen, actual).sum(0)
        totals["f1"] += f1(both, chosen, actual).sum(0)
        totals["precision"] += ratio(both, chosen, agree).sum(0)
        totals["recall"] += ratio(both, np.broadcast_to(actual, both.shape), agree).sum(0)
        totals["medications"] += chosen.sum(0)
        all_pairs += (chosen * (chosen - 1)).sum(0) / 2
        if len(first):
            pairs = np.minimum(passed[:, first], passed[:, second])
            listed += np.bincount(pairs.ravel(), minlength=STEPS)
    interacting = listed[::-1].cumsum()[::-1][1:]
    means = {name: total / max(1, len(rows)) for name, total in totals.items()}
    return Sweep(thresholds=THRESHOLDS, ddi_rate=share(interacting, all_pairs), cases=len(rows), **means)


def _share(top: NDArray[np.generic], bottom: NDArray[np.int64]) -> Floats:
    """top / bottom, NaN where there is nothing below the line."""
    return np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0)
