"""One evaluator for teacher, student and baselines: metrics of each case, and their means over groups.

Everything is computed a block of cases at a time; what stays is one row of metrics per case. What is not obvious, by
definition:

* A class the model cannot name (`known` false) is never predicted: prescribed, it lowers recall, Jaccard, F1 and the
  average precision (the case's average precision is multiplied by the share of its classes that can be ranked).
* PRAUC is the mean over cases of the average precision, as scikit-learn defines it, ties included. A case with
  nothing prescribed has none: it is left out of the mean and counted in `without_truth`.
* Nothing predicted and nothing prescribed agree: Jaccard, precision, recall and F1 are 1. Where only one of the two
  is empty all four are 0.
* The interaction (DDI) rate is interacting pairs among all predicted pairs of all cases together; 0 without a pair.
* A group without cases has no metrics (None), and is reported all the same.

Letters: N cases, M medications, G groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.evaluation.bootstrap import intervals, per_person, share

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

BLOCK: Final = 4096  # cases worked on at a time
ROUNDS: Final = 10
SHARE: Final = 0.8
RESAMPLES: Final = 1000
GRID: Final = 200  # thresholds tried: 1/200, 2/200, ... 199/200
CHOSEN_ON_VALIDATION: Final = "chosen on validation to maximise mean Jaccard"
"""How a manifest words the rule of `choose_threshold`."""

MEANS: Final[tuple[str, ...]] = ("prauc", "jaccard", "f1", "precision", "recall", "medications")
METRICS: Final[tuple[str, ...]] = (*MEANS, "ddi_rate")
LABELS: Final[Mapping[str, str]] = {
    "prauc": "PRAUC",
    "jaccard": "Jaccard",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "ddi_rate": "DDI rate",
    "medications": "Medications",
}
"""Headings of tables, in the order of the paper's."""


@dataclass(frozen=True, slots=True)
class Score:
    """A metric on all cases of a group, over ten rounds of 80 % of them, and its 95 % interval over patients."""

    value: float
    mean: float  # of the rounds
    std: float  # of the rounds; rounds overlap, so this understates the uncertainty
    low: float  # bootstrap over patients
    high: float


@dataclass(frozen=True, slots=True)
class GroupMetrics:
    """The metrics of one group of cases; None where the group is empty or the metric is not defined in it."""

    cases: int
    patients: int
    without_truth: int  # cases with nothing prescribed
    scores: Mapping[str, Score | None]  # by name, see METRICS
    real_ddi_rate: float | None  # of what was really prescribed
    real_medications: float | None  # mean number prescribed

    def to_json(self) -> dict[str, Any]:
        """Flat: the counts, and each metric under its own name."""
        record = asdict(self)
        return {**record.pop("scores"), **record}


@dataclass(frozen=True, slots=True)
class CaseMetrics:
    """One number per case, (N,) each."""

    prauc: Floats  # NaN where nothing was prescribed
    jaccard: Floats
    f1: Floats
    precision: Floats
    recall: Floats
    medications: Floats  # predicted
    pairs: Floats  # predicted pairs
    interacting: Floats  # of them, pairs that the table lists
    real_medications: Floats
    real_pairs: Floats
    real_interacting: Floats

    def __len__(self) -> int:
        return len(self.jaccard)


def evaluate(
    probabilities: Floats,
    truth: Bools,
    threshold: float,
    interactions: Bools | None,
    groups: Mapping[str, Bools],
    *,
    known: Bools | None = None,
    patients: NDArray[np.int64] | None = None,
    seed: int = 42,
    resamples: int = RESAMPLES,
) -> dict[str, GroupMetrics]:
    """Metrics of every group.

    Args:
        probabilities: (N, M); selected is what is at or above `threshold`.
        truth: (N, M) what was prescribed.
        threshold: the cut-off.
        interactions: (M, M) symmetric; None leaves the rates out.
        groups: name -> (N,) membership.
        known: (M,) false for classes that the model cannot name; all known by default.
        patients: (N,) the patient of each case, for the bootstrap; by default every case is another patient's.
        seed: of the rounds and the bootstrap.
        resamples: bootstrap resamples; 0 gives intervals of the value itself.
    """
    cases = case_metrics(probabilities, truth, threshold, interactions, known=known)
    return summarise(
        cases,
        groups,
        patients=patients,
        with_rates=interactions is not None,
        seed=seed,
        resamples=resamples,
    )


def summarise(
    cases: CaseMetrics,
    groups: Mapping[str, Bools],
    *,
    patients: NDArray[np.int64] | None = None,
    with_rates: bool = True,
    seed: int = 42,
    resamples: int = RESAMPLES,
) -> dict[str, GroupMetrics]:
    """Metrics of every group from the metrics of each case; arguments as in `evaluate`."""
    owners = np.arange(len(cases)) if patients is None else patients
    return {
        name: _group(cases, np.flatnonzero(mask), owners, with_rates, seed, resamples)
        for name, mask in groups.items()
    }


def case_metrics(
    probabilities: Floats,
    truth: Bools,
    threshold: float,
    interactions: Bools | None,
    *,
    known: Bools | None = None,
) -> CaseMetrics:
    """The metrics of each case, in bounded memory."""
    if probabilities.shape != truth.shape:
        raise ValueError(f"probabilities {probabilities.shape} and truth {truth.shape} differ in shape")
    count, width = truth.shape
    able = np.ones(width, dtype=bool) if known is None else known
    table = np.zeros((width, width), np.float32) if interactions is None else interactions.astype(np.float32)
    columns = {name: np.zeros(count) for name in CaseMetrics.__slots__}
    for start in range(0, count, BLOCK):
        block = slice(start, start + BLOCK)
        scores, real = probabilities[block], truth[block]
        chosen = (scores >= threshold) & able
        both, predicted, actual = ((chosen & real).sum(1), chosen.sum(1), real.sum(1))
        agree = (predicted == 0) & (actual == 0)
        rankable = real[:, able].sum(1)
        share = np.divide(rankable, actual, out=np.full(len(real), np.nan), where=actual > 0)
        columns["prauc"][block] = average_precision(scores[:, able], real[:, able]) * share
        columns["jaccard"][block] = jaccard(both, predicted, actual)
        columns["precision"][block] = ratio(both, predicted, agree)
        columns["recall"][block] = ratio(both, actual, agree)
        columns["f1"][block] = f1(both, predicted, actual)
        columns["medications"][block] = predicted
        columns["real_medications"][block] = actual
        for prefix, sets, sizes in (("", chosen, predicted), ("real_", real, actual)):
            columns[prefix + "pairs"][block] = sizes * (sizes - 1) / 2
            columns[prefix + "interacting"][block] = _interacting(sets, table)
    return CaseMetrics(**columns)


def average_precision(scores: Floats, truth: Bools) -> NDArray[np.float64]:
    """(N,) area under each row's precision-recall steps, as `sklearn.metrics.average_precision_score`.

    Equal scores stand at one step together. A row without positives gives 0, as scikit-learn does, which goes through
    the rows in Python: 100,000 cases of 140 classes take it 78 s (`average="samples"`), and 0.6 s here.

    Raises:
        ValueError: a score that is not a number.
    """
    count, width = truth.shape
    if not width:
        return np.zeros(count)
    if np.isnan(scores).any():
        raise ValueError("a score is not a number: nothing can be ranked by it")
    out = np.zeros(count)
    for start in range(0, count, BLOCK):
        ranked, hits = _ranked(scores[start : start + BLOCK], truth[start : start + BLOCK])
        last = np.ones(hits.shape, dtype=bool)  # the last position of each run of equal scores
        last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
        totals = np.cumsum(hits, axis=1, dtype=np.int32)
        # A run adds its share of the positives times the precision at its end.
        rows, positions = np.nonzero(last)
        ends = totals[rows, positions]
        before = np.zeros_like(ends)
        before[1:] = np.where(rows[1:] == rows[:-1], ends[:-1], 0)
        steps = (ends - before) * (ends / (positions + 1))
        positives = totals[:, -1]
        sums = np.bincount(rows, steps, minlength=len(hits))
        out[start : start + BLOCK] = np.divide(sums, positives, out=np.zeros(len(hits)), where=positives > 0)
    return out


def mean_prauc(scores: Floats, truth: Bools, missed: NDArray[np.int64]) -> float:
    """Mean average precision of (N, M) scores over the cases that got something.

    `missed` is (N,) how many classes each case got that are none of the M: they count as never ranked.
    """
    named = truth.sum(1)
    real = named + missed
    got = real > 0
    values = average_precision(scores[got], truth[got]) * named[got] / real[got]
    return float(values.mean()) if got.any() else 0.0


def _ranked(scores: Floats, truth: Bools) -> tuple[NDArray[Any], Bools]:
    """Each row's scores, best first, in a form that keeps their order and ties, and the truth in the same order."""
    if scores.dtype != np.float32:
        order = np.argsort(-scores, axis=1)
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(truth, order, axis=1)
    # Sorting one integer that holds score and truth costs a fraction of sorting positions and gathering by them.
    bits = (scores + np.float32(0)).view(np.uint32)  # adding 0 makes -0 equal 0
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (rising.astype(np.uint64) << np.uint64(1)) | truth
    keys.sort(axis=1)
    keys = keys[:, ::-1]
    return keys >> np.uint64(1), (keys & np.uint64(1)).astype(bool)


def choose_threshold(
    probabilities: Floats, truth: Bools, *, missed: NDArray[np.int64] | None = None
) -> float:
    """The cut-off on a grid of 1/200 with the highest mean Jaccard; the middle one where several tie.

    Args:
        probabilities: (N, M) on validation cases.
        truth: (N, M).
        missed: (N,) prescribed classes that are no column, counted as missed.

    Raises:
        ValueError: without cases.
    """
    count = len(truth)
    if not count:
        raise ValueError("a threshold cannot be chosen without cases")
    sums = np.zeros(GRID - 1)
    grid = np.arange(1, GRID) / GRID
    for start in range(0, count, BLOCK):
        block = slice(start, start + BLOCK)
        scores, real = probabilities[block], truth[block]
        passed = np.searchsorted(grid, scores.astype(np.float64), side="right")
        predicted, both = counts_above(passed, GRID), counts_above(passed, GRID, real)
        actual = real.sum(1, keepdims=True) + (0 if missed is None else missed[block, None])
        sums += jaccard(both, predicted, actual).sum(0)
    best = np.flatnonzero(sums >= sums.max() - 1e-9 * count)
    return float(grid[best[len(best) // 2]])


def counts_above(passed: NDArray[Any], steps: int, only: Bools | None = None) -> NDArray[np.int64]:
    """(n, steps - 1) how many classes of each case (of those in `only`) are at or above each cut-off.

    Args:
        passed: (n, M) how many of the `steps - 1` cut-offs each score is at or above.
        steps: one more than there are cut-offs.
        only: (n, M).
    """
    rows = len(passed)
    flat = passed + (np.arange(rows) * steps)[:, None]
    counts = np.bincount(flat.ravel() if only is None else flat[only], minlength=rows * steps)
    return counts.reshape(rows, steps)[:, ::-1].cumsum(1)[:, -2::-1]


def jaccard(both: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]) -> Floats:
    """Intersection over union of two sets, from the sizes of their intersection and of each; 1 where both are empty."""
    return ratio(both, predicted + actual - both, (predicted == 0) & (actual == 0))


def f1(both: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]) -> Floats:
    """Harmonic mean of precision and recall, from the same sizes; 1 where both sets are empty."""
    return ratio(2 * both, predicted + actual, (predicted == 0) & (actual == 0))


def ratio(part: NDArray[Any], whole: NDArray[Any], agree: Bools) -> Floats:
    """part / whole; 1 where both sides are empty, 0 where only the whole is."""
    out = np.where(agree, 1.0, 0.0)
    return np.divide(part, whole, out=out, where=whole > 0)


def _interacting(sets: Bools, table: NDArray[np.float32]) -> Floats:
    """(N,) pairs of each set that the symmetric table lists."""
    chosen = sets.astype(np.float32)
    return ((chosen @ table) * chosen).sum(1) / 2


def _group(
    cases: CaseMetrics,
    rows: NDArray[np.int64],
    owners: NDArray[np.int64],
    with_rates: bool,
    seed: int,
    resamples: int,
) -> GroupMetrics:
    """Metrics of the cases `rows`."""
    people, owner = np.unique(owners[rows], return_inverse=True)
    if not len(rows):
        return GroupMetrics(0, 0, 0, dict.fromkeys(METRICS), None, None)
    random = np.random.default_rng(seed)
    size = max(1, round(SHARE * len(rows)))
    rounds = [random.choice(len(rows), size, replace=False) for _ in range(ROUNDS)]
    tops, bottoms = sums(cases, rows)
    lows, highs = intervals(per_person(tops, owner), per_person(bottoms, owner), resamples, random)
    parts = np.array([share(tops[:, r].sum(1), bottoms[:, r].sum(1)) for r in rounds])  # (ROUNDS, metrics)
    values = share(tops.sum(1), bottoms.sum(1))
    scores: dict[str, Score | None] = {}
    for i, name in enumerate(METRICS):
        defined = with_rates if name == "ddi_rate" else bool(bottoms[i].any())
        numbers = (values[i], parts[:, i].mean(), parts[:, i].std(), lows[i], highs[i])
        scores[name] = Score(*map(float, numbers)) if defined else None
    real = share(cases.real_interacting[rows].sum(), cases.real_pairs[rows].sum())
    return GroupMetrics(
        cases=len(rows),
        patients=len(people),
        without_truth=int((cases.real_medications[rows] == 0).sum()),
        scores=scores,
        real_ddi_rate=float(real) if with_rates else None,
        real_medications=float(cases.real_medications[rows].mean()),
    )


def sums(cases: CaseMetrics, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(metrics, n) twice, in the order of METRICS: what is summed over cases above and below the line."""
    values = np.stack([getattr(cases, name)[rows] for name in MEANS])
    there = ~np.isnan(values)
    return (
        np.concatenate([np.where(there, values, 0.0), cases.interacting[None, rows]]),
        np.concatenate([there.astype(np.float64), cases.pairs[None, rows]]),
    )


def mean_cases(runs: Sequence[CaseMetrics]) -> CaseMetrics:
    """The metrics of each case, averaged over runs of one model with different seeds on the same cases."""
    return CaseMetrics(
        **{name: np.mean([getattr(run, name) for run in runs], axis=0) for name in CaseMetrics.__slots__}
    )
