"""Class by class: how common each is, how well a model finds it, what its probabilities mean, and where models differ.

Refuses to know databases and pages. Letters: N cases, A classes, E marks, B parts of 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.frame import Bools, Marks
from leader_core.evaluation.calibration import BINS

Counts = NDArray[np.int64]
_BLOCK: Final = 8192  # cases worked on at a time


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
    def prevalence(self) -> NDArray[np.float64]:
        """Share of cases that were prescribed it."""
        return self.prescribed / max(1, self.cases)

    @property
    def precision(self) -> NDArray[np.float64]:
        """NaN where it is never chosen."""
        return _share(self.hits, self.chosen)

    @property
    def recall(self) -> NDArray[np.float64]:
        """NaN where it is never prescribed."""
        return _share(self.hits, self.prescribed)

    @property
    def f1(self) -> NDArray[np.float64]:
        """NaN where it is neither chosen nor prescribed."""
        return _share(2 * self.hits, self.chosen + self.prescribed)


def class_counts(marks: Marks, model: str, classes: int, within: Bools) -> ClassCounts:
    """Prescribed, chosen and both, class by class; `within` is (N,), cases that the model has scored."""
    inside = within[marks.rows]
    given, chosen = marks.has(None) & inside, marks.has(model) & inside

    def counted(mask: Bools) -> Counts:
        return np.bincount(marks.classes[mask], minlength=classes)

    return ClassCounts(model, int(within.sum()), counted(given), counted(chosen), counted(given & chosen))


@dataclass(frozen=True, slots=True)
class Crossed:
    """Two models on each class: (A, 2, 2, 2) cases by prescribed, chosen by the first, chosen by the second."""

    first: str
    second: str
    counts: Counts

    @property
    def right(self) -> dict[str, Counts]:
        """(A,) each: where both, only one, or neither are right about a class, prescribed or not."""
        given, not_given = self.counts[:, 1], self.counts[:, 0]
        return {
            "both": given[:, 1, 1] + not_given[:, 0, 0],
            self.first: given[:, 1, 0] + not_given[:, 0, 1],
            self.second: given[:, 0, 1] + not_given[:, 1, 0],
            "neither": given[:, 0, 0] + not_given[:, 1, 1],
        }


def crossed(marks: Marks, first: str, second: str, classes: int, within: Bools) -> Crossed:
    """Cases by what was prescribed and what two models chose; `within`: cases that both have scored."""
    inside = within[marks.rows]
    state = 4 * marks.has(None).astype(np.int64) + 2 * marks.has(first) + marks.has(second)
    counts = np.bincount(
        marks.classes[inside].astype(np.int64) * 8 + state[inside], minlength=classes * 8
    ).reshape(classes, 8)
    counts[:, 0] = int(within.sum()) - counts[:, 1:].sum(1)  # pairs without any mark are not listed
    return Crossed(first, second, counts.reshape(classes, 2, 2, 2))


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was said and what was so, class by class, in B equal parts of 0 to 1; (A, B) each."""

    counts: Counts
    said: NDArray[np.float64]  # sum of probabilities
    observed: Counts  # prescribed

    def of(self, place: int | None = None) -> tuple[Counts, NDArray[np.float64], NDArray[np.float64]]:
        """(B,) count, mean probability and share prescribed, of one class or of all; NaN in empty parts."""
        parts = [
            part.sum(0) if place is None else part[place] for part in (self.counts, self.said, self.observed)
        ]
        return parts[0], _share(parts[1], parts[0]), _share(parts[2], parts[0])

    @property
    def error(self) -> NDArray[np.float64]:
        """(A,) expected calibration error of each class."""
        return np.abs(self.said - self.observed).sum(1) / np.maximum(1, self.counts.sum(1))

    @property
    def overall_error(self) -> float:
        """Expected calibration error over all pairs of case and class, as `leader_core.evaluation.calibration` has it."""
        said, observed = self.said.sum(0), self.observed.sum(0)
        return float(np.abs(said - observed).sum() / max(1, self.counts.sum()))

    @property
    def mean_said(self) -> NDArray[np.float64]:
        """(A,) mean probability."""
        return _share(self.said.sum(1), self.counts.sum(1))

    @property
    def mean_observed(self) -> NDArray[np.float64]:
        """(A,) share prescribed."""
        return _share(self.observed.sum(1), self.counts.sum(1))


def bin_of(scores: NDArray[np.float32], bins: int = BINS) -> NDArray[np.int64]:
    """Which of `bins` equal parts of 0 to 1 a probability lies in; 1 belongs to the last."""
    return np.minimum((scores.astype(np.float64) * bins).astype(np.int64), bins - 1)


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
    said = np.zeros(size)
    rows = np.flatnonzero(within)
    offset = np.arange(classes) * bins
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        own = scores[block]
        places = (bin_of(own, bins) + offset).ravel()
        counts += np.bincount(places, minlength=size)
        said += np.bincount(places, own.ravel(), minlength=size)
        observed += np.bincount(places[truth[block].ravel()], minlength=size)
    shape = classes, bins
    return Reliability(counts.reshape(shape), said.reshape(shape), observed.reshape(shape))


def truth_of(marks: Marks, cases: int, classes: int) -> Bools:
    """(N, A) what was prescribed."""
    out = np.zeros((cases, classes), bool)
    given = marks.has(None)
    out[marks.rows[given], marks.classes[given]] = True
    return out


def with_state(marks: Marks, place: int, who: Mapping[str, bool], cases: int) -> Bools:
    """(N,) cases in which a class was chosen by exactly those that `who` says, "prescribed" for what was given."""
    own = marks.classes == place
    out = np.ones(cases, bool)
    for name, yes in who.items():
        chosen = np.zeros(cases, bool)
        chosen[marks.rows[own & marks.has(None if name == "prescribed" else name)]] = True
        out &= chosen == yes
    return out


def _share(top: NDArray[np.generic], bottom: NDArray[np.int64]) -> NDArray[np.float64]:
    """top / bottom, NaN where there is nothing below the line."""
    return np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0)
