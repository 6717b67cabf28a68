"""Figures by group: every metric of every model with its interval over patients, and the gap to a reference group.

Definitions are those of `leader_core.evaluation.metrics`: means over cases, the interaction rate pooled over pairs. A group below
`FEWEST` cases is marked, never left out. Refuses to know databases and pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis import intervals
from leader_core.error_analysis.fields import Column
from leader_core.error_analysis.frame import Bools, Figures, Frame
from leader_core.evaluation.bootstrap import share
from leader_core.evaluation.metrics import MEANS, METRICS

FEWEST: Final = 20
"""Cases below which a group says little."""
SEED: Final = 42


_Pools = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval by bootstrap over patients."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One model on one group; a figure that is not defined there is None."""

    group: str
    model: str
    cases: int  # that this model scored
    patients: int
    scores: Mapping[str, Estimate | None]  # by metric, see leader_core.evaluation.metrics.METRICS
    gaps: Mapping[
        str, Estimate | None
    ]  # to the reference group: this minus that; None for the reference itself
    real_medications: float | None  # mean number prescribed
    real_ddi_rate: float | None

    @property
    def few(self) -> bool:
        """Whether there are too few cases to say much."""
        return self.cases < FEWEST


@dataclass(frozen=True, slots=True)
class Grouping:
    """All groups of one field, or whatever groups were asked for, in order."""

    field: str
    reference: str  # the group that gaps are measured against: the one with most cases; "" without any
    rows: tuple[GroupFigures, ...]  # models within groups

    def of(self, group: str, model: str) -> GroupFigures:
        """
        Raises:
            KeyError: no such group or model.
        """
        for row in self.rows:
            if row.group == group and row.model == model:
                return row
        raise KeyError((group, model))


def by_column(
    frame: Frame,
    figures: Mapping[str, Figures],
    column: Column,
    within: Bools | None = None,
    seed: int = SEED,
) -> Grouping:
    """Figures by the values of a field.

    Args:
        frame: the N cases.
        figures: model -> its figures.
        column: the field.
        within: (N,) the cases to look at; all of them by default.
        seed: of the bootstrap.
    """
    codes = column.codes if within is None else np.where(within, column.codes, np.int16(-1))
    return _grouped(frame, figures, column.name, codes, column.values, seed)


def by_masks(
    frame: Frame, figures: Mapping[str, Figures], name: str, masks: Mapping[str, Bools], seed: int = SEED
) -> Grouping:
    """Figures of groups that may overlap, as saved lists do; the first is the reference."""
    rows: list[GroupFigures] = []
    for group, mask in masks.items():
        rows += _grouped(frame, figures, name, np.where(mask, 0, -1), (group,), seed).rows
    return Grouping(name, next(iter(masks), ""), tuple(rows))


def _grouped(
    frame: Frame,
    figures: Mapping[str, Figures],
    name: str,
    codes: NDArray[Any],
    values: Sequence[str],
    seed: int,
) -> Grouping:
    sizes = np.bincount(codes[codes >= 0].astype(np.int64), minlength=len(values))
    reference = int(sizes.argmax()) if len(values) and sizes.any() else -1
    made: dict[str, list[GroupFigures]] = {}
    cut: dict[bytes, _Pools] = {}  # models that scored the same cases are cut into the same pools, once
    for model, own in figures.items():
        there = own.there.tobytes()
        if there not in cut:
            cut[there] = intervals.pooled(np.where(own.there, codes, -1), len(values), frame.people[1])
        made[model] = _model(frame, model, own, cut[there], values, reference, seed)
    rows = tuple(made[model][i] for i in range(len(values)) for model in figures)
    return Grouping(name, values[reference] if reference >= 0 else "", rows)


def _model(
    frame: Frame,
    model: str,
    own: Figures,
    cut: _Pools,
    values: Sequence[str],
    reference: int,
    seed: int,
) -> list[GroupFigures]:
    count = len(values)
    rows, pools, people = cut
    summed = intervals.sums(pools, count, _parts(frame, own, rows))
    totals = summed.sum(1)
    scores, gaps = _estimates(totals, summed, people, reference, seed)
    found = []
    for i, value in enumerate(values):
        cases = int(totals[i, _COUNT])
        found.append(
            GroupFigures(
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
    return found


_TOPS: Final = len(METRICS)  # the columns of `_parts`: a top for each metric, then what stands below the line
_COUNT: Final = _TOPS
_RANKED: Final = _TOPS + 1
_PAIRS: Final = _TOPS + 2
_GIVEN: Final = _TOPS + 3
_REAL_TOP: Final = _TOPS + 4
_REAL_BOTTOM: Final = _TOPS + 5
_BELOW: Final = [_RANKED if name == "prauc" else _COUNT for name in MEANS] + [_PAIRS]


def _parts(frame: Frame, own: Figures, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
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


def _figures(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., columns of `_parts`) -> (..., metrics)."""
    return share(parts[..., :_TOPS], parts[..., _BELOW])


def _estimates(
    totals: NDArray[np.float64],
    summed: NDArray[np.float64],
    people: NDArray[np.int64],
    reference: int,
    seed: int,
) -> tuple[list[dict[str, Estimate | None]], list[dict[str, Estimate | None]]]:
    """Every group's figures, and their gaps to the reference group."""
    count = len(totals)
    drawn = np.zeros((intervals.DRAWS, count, _TOPS))
    for i in np.flatnonzero(people).tolist():
        drawn[:, i] = _figures(intervals.draws(summed[i], int(people[i]), seed))
    values = _figures(totals)
    # A rate over no pair at all is 0, as the evaluator has it; a mean over nothing is undefined.
    defined = (totals[:, _BELOW] > 0) | (np.array(METRICS) == "ddi_rate")
    defined &= people[:, None] > 0
    scores = _told(values, drawn, defined)
    if reference < 0:
        return scores, [dict.fromkeys(METRICS) for _ in range(count)]
    comparable = defined & defined[reference]
    comparable[reference] = False
    against = drawn - drawn[:, reference : reference + 1]
    return scores, _told(values - values[reference], against, comparable)


def _told(
    values: NDArray[np.float64], drawn: NDArray[np.float64], defined: NDArray[np.bool_]
) -> list[dict[str, Estimate | None]]:
    low, high = intervals.bounds(drawn)
    return [
        {
            name: Estimate(float(values[g, i]), float(low[g, i]), float(high[g, i]))
            if defined[g, i]
            else None
            for i, name in enumerate(METRICS)
        }
        for g in range(len(values))
    ]
