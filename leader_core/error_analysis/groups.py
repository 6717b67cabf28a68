"""Metrics by group with their intervals over patients and their gaps to a reference group; one metric by two fields.

Definitions are those of `leader_core.evaluation.metrics`: means over cases, the interaction rate pooled over pairs. A
group below `FEWEST` cases is flagged, never left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.frame import Bools, Column, Frame, StoredMetrics
from leader_core.evaluation.bootstrap import POOL_DRAWS, bounds, drawn_pools, patient_pools, pool_sums, share
from leader_core.evaluation.metrics import MEANS, METRICS

FEWEST: Final = 20
"""Cases below which a group says little."""
SEED: Final = 42
LEVEL: Final = 0.05
"""Adjusted p below which a gap counts as more than chance."""
_HALF_WIDTH: Final = 1.96
"""Standard errors from the middle to the end of a 95 % interval."""


_Pools = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """A metric and its 95 % interval by bootstrap over patients."""

    value: float
    low: float
    high: float
    p: float | None = None  # of a gap: two-sided, from the bootstrap's standard error


@dataclass(frozen=True, slots=True)
class GroupScores:
    """One model on one group; a metric that is not defined there is None."""

    group: str
    model: str
    cases: int  # that this model scored
    patients: int
    scores: Mapping[str, MetricEstimate | None]  # by metric, see leader_core.evaluation.metrics.METRICS
    gaps: Mapping[str, MetricEstimate | None]  # this minus the reference group; None for the reference itself
    real_medications: float | None  # mean number prescribed
    real_ddi_rate: float | None

    @property
    def few(self) -> bool:
        """Whether there are too few cases to say much."""
        return self.cases < FEWEST


@dataclass(frozen=True, slots=True)
class Grouping:
    """All groups of one field, or of a choice of masks, in order."""

    field: str
    reference: str  # the group that gaps are measured against: the one with most cases; "" without any
    rows: tuple[GroupScores, ...]  # models within groups

    def beyond_chance(self, metric: str) -> frozenset[tuple[str, str]]:
        """(group, model) of the gaps that stand after Benjamini and Hochberg's correction for all gaps of the metric.

        Groups of few cases are not tested.
        """
        if any(row.few for row in self.rows if row.group == self.reference):
            return frozenset()
        beyond = beyond_chance([None if row.few else row.gaps[metric] for row in self.rows])
        return frozenset((row.group, row.model) for row, yes in zip(self.rows, beyond, strict=True) if yes)


def beyond_chance(gaps: Sequence[MetricEstimate | None]) -> list[bool]:
    """Which gaps stand after Benjamini and Hochberg's correction for all of them; one without p is not tested."""
    tested = {i: gap.p for i, gap in enumerate(gaps) if gap is not None and gap.p is not None}
    beyond = dict(zip(tested, adjust(list(tested.values())) < LEVEL, strict=True))
    return [bool(beyond.get(i)) for i in range(len(gaps))]


def adjust(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Benjamini and Hochberg's adjusted p of each test.

    >>> adjust([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    from scipy.stats import false_discovery_control

    if not p_values:
        return np.zeros(0)
    adjusted: NDArray[np.float64] = false_discovery_control(np.asarray(p_values, np.float64), method="bh")
    return adjusted


def difference(first: MetricEstimate, second: MetricEstimate) -> MetricEstimate:
    """First minus second, as of independent patients: the squares of the half intervals add up.

    >>> result = difference(MetricEstimate(0.6, 0.57, 0.63), MetricEstimate(0.5, 0.46, 0.54))
    >>> [round(n, 3) for n in (result.value, result.low, result.high)], result.p < 0.001
    ([0.1, 0.05, 0.15], True)
    """
    value = first.value - second.value
    below = ((first.value - first.low) ** 2 + (second.high - second.value) ** 2) ** 0.5
    above = ((first.high - first.value) ** 2 + (second.value - second.low) ** 2) ** 0.5
    error = (below + above) / (2 * _HALF_WIDTH)
    p = float(_two_sided(np.array([value]), np.array([error]))[0])
    return MetricEstimate(value, value - below, value + above, p)


def by_masks(
    frame: Frame,
    metrics: Mapping[str, StoredMetrics],
    name: str,
    masks: Mapping[str, Bools],
) -> Grouping:
    """Every metric of groups that may overlap, as saved lists do; the first is the reference."""
    rows: list[GroupScores] = []
    for group, mask in masks.items():
        rows += by_value(frame, metrics, name, np.where(mask, 0, -1), (group,)).rows
    return Grouping(name, next(iter(masks), ""), tuple(rows))


def by_value(
    frame: Frame,
    metrics: Mapping[str, StoredMetrics],
    name: str,
    codes: NDArray[Any],
    values: Sequence[str],
) -> Grouping:
    """Every metric by the values of a field.

    Args:
        frame: the N cases.
        metrics: model -> its metrics of each case.
        name: of the field.
        codes: (N,) the place of each case's value in `values`; below 0 where the case is left out.
        values: in the order to show.
    """
    sizes = np.bincount(codes[codes >= 0].astype(np.int64), minlength=len(values))
    reference = int(sizes.argmax()) if len(values) and sizes.any() else -1
    scored: dict[str, list[GroupScores]] = {}
    pools: dict[bytes, _Pools] = {}  # models that scored the same cases share their pools
    for model, own in metrics.items():
        key = own.scored.tobytes()
        if key not in pools:
            pools[key] = patient_pools(np.where(own.scored, codes, -1), len(values), frame.patient_numbers)
        scored[model] = _model(frame, model, own, pools[key], values, reference)
    rows = tuple(scored[model][i] for i in range(len(values)) for model in metrics)
    return Grouping(name, values[reference] if reference >= 0 else "", rows)


def _model(
    frame: Frame,
    model: str,
    own: StoredMetrics,
    pools_of_group: _Pools,
    values: Sequence[str],
    reference: int,
) -> list[GroupScores]:
    count = len(values)
    rows, pools, people = pools_of_group
    summed = pool_sums(pools, count, _parts(frame, own, rows))
    totals = summed.sum(1)
    scores, gaps = _estimates(totals, summed, people, reference)
    results = []
    for i, value in enumerate(values):
        cases = int(totals[i, _COUNT])
        results.append(
            GroupScores(
                group=value,
                model=model,
                cases=cases,
                patients=int(people[i]),
                scores=scores[i],
                gaps=gaps[i],
                real_medications=float(totals[i, _GIVEN] / cases) if cases else None,
                real_ddi_rate=float(share(totals[i, _REAL_TOP], totals[i, _REAL_BOTTOM])) if cases else None,
            )
        )
    return results


_TOPS: Final = len(METRICS)  # the columns of `_parts`: a top for each metric, then what stands below the line
_COUNT: Final = _TOPS
_RANKED: Final = _TOPS + 1
_PAIRS: Final = _TOPS + 2
_GIVEN: Final = _TOPS + 3
_REAL_TOP: Final = _TOPS + 4
_REAL_BOTTOM: Final = _TOPS + 5
_BELOW: Final = [_RANKED if name == "prauc" else _COUNT for name in MEANS] + [_PAIRS]


def _parts(frame: Frame, own: StoredMetrics, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
    prauc = own.prauc[rows]
    ranked = ~np.isnan(prauc)
    tops: list[NDArray[Any]] = [
        np.where(ranked, prauc, 0) if name == "prauc" else own.of(name)[rows] for name in MEANS
    ]
    below: list[NDArray[Any]] = [np.ones(len(rows)), ranked.astype(np.float64), own.pairs[rows]]
    real: list[NDArray[Any]] = [
        frame.numbers["prescribed"][rows],
        frame.real_interacting[rows],
        frame.real_pairs[rows],
    ]
    return [*tops, own.interacting[rows], *below, *real]


def _metrics(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., columns of `_parts`) -> (..., metrics)."""
    return share(parts[..., :_TOPS], parts[..., _BELOW])


def _estimates(
    totals: NDArray[np.float64],
    summed: NDArray[np.float64],
    people: NDArray[np.int64],
    reference: int,
) -> tuple[list[dict[str, MetricEstimate | None]], list[dict[str, MetricEstimate | None]]]:
    """Every group's metrics, and their gaps to the reference group."""
    count = len(totals)
    drawn = np.zeros((POOL_DRAWS, count, _TOPS))
    for i in np.flatnonzero(people).tolist():
        drawn[:, i] = _metrics(drawn_pools(summed[i], int(people[i]), SEED))
    values = _metrics(totals)
    # A rate over no pair at all is 0, as the evaluator has it; a mean over nothing is undefined.
    defined = (totals[:, _BELOW] > 0) | (np.array(METRICS) == "ddi_rate")
    defined &= people[:, None] > 0
    scores = _with_bounds(values, drawn, defined)
    if reference < 0:
        return scores, [dict.fromkeys(METRICS) for _ in range(count)]
    comparable = defined & defined[reference]
    comparable[reference] = False
    gaps = values - values[reference]
    against = drawn - drawn[:, reference : reference + 1]
    return scores, _with_bounds(gaps, against, comparable, _two_sided(gaps, against.std(0)))


def _two_sided(gaps: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """p of gaps from their standard errors, as if normal: a thousand draws cannot tell how small a small p is."""
    from scipy.stats import norm

    with np.errstate(divide="ignore", invalid="ignore"):
        p: NDArray[np.float64] = 2 * norm.sf(np.abs(gaps) / errors)
    return np.where(errors > 0, p, np.where(gaps == 0, 1.0, 0.0))


def _with_bounds(
    values: NDArray[np.float64],
    drawn: NDArray[np.float64],
    defined: NDArray[np.bool_],
    p: NDArray[np.float64] | None = None,
) -> list[dict[str, MetricEstimate | None]]:
    low, high = bounds(drawn)

    def estimate(g: int, i: int) -> MetricEstimate | None:
        if not defined[g, i]:
            return None
        own = None if p is None else float(p[g, i])
        return MetricEstimate(float(values[g, i]), float(low[g, i]), float(high[g, i]), own)

    return [{name: estimate(g, i) for i, name in enumerate(METRICS)} for g in range(len(values))]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A metric over R values of one field by C of another."""

    rows: Column
    columns: Column
    metric: str
    cases: NDArray[np.int64]  # (R, C)
    values: NDArray[np.float64]  # (R, C) NaN where there is no case, or no metric


def heat_map(rows: Column, columns: Column, metrics: StoredMetrics, metric: str, within: Bools) -> HeatMap:
    """One metric by two fields.

    Args:
        rows: the field that goes down.
        columns: the field that goes across.
        metrics: of one model.
        metric: a name of `leader_core.evaluation.metrics.METRICS`.
        within: (N,) the cases to look at.
    """
    shape = len(rows.values), len(columns.values)
    size = shape[0] * shape[1]
    top, bottom = _sides(metrics, metric)
    chosen = np.flatnonzero(within & metrics.scored)
    cells = rows.codes[chosen].astype(np.int64) * shape[1] + columns.codes[chosen]
    tops = np.bincount(cells, np.nan_to_num(top[chosen]), minlength=size)
    bottoms = np.bincount(cells, np.nan_to_num(bottom[chosen]), minlength=size)
    cases = np.bincount(cells, minlength=size)
    # A rate over no pair at all is 0, as the evaluator has it; a mean over nothing is undefined.
    defined = cases > 0 if metric == "ddi_rate" else bottoms > 0
    values = np.where(defined, share(tops, bottoms), np.nan)
    return HeatMap(rows, columns, metric, cases.reshape(shape), values.reshape(shape))


def _sides(metrics: StoredMetrics, metric: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What is summed above and below the line."""
    if metric == "ddi_rate":
        return metrics.interacting, metrics.pairs
    values = metrics.of(metric)
    return values, (~np.isnan(values)).astype(np.float32)
