"""Two fields against each other: how many cases each pair of values has, and a figure's mean there.

Refuses to know databases and pages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.fields import Column
from leader_core.error_analysis.frame import Bools, Figures
from leader_core.evaluation.bootstrap import share


@dataclass(frozen=True, slots=True)
class Heat:
    """A figure over R values of one field by C of another."""

    rows: Column
    columns: Column
    metric: str
    cases: NDArray[np.int64]  # (R, C)
    values: NDArray[np.float64]  # (R, C) NaN where there is no case, or no figure


def heat(rows: Column, columns: Column, figures: Figures, metric: str, within: Bools) -> Heat:
    """One metric by two fields.

    Args:
        rows: the field that goes down.
        columns: the field that goes across.
        figures: of one model.
        metric: a name of `leader_core.evaluation.metrics.METRICS`.
        within: (N,) the cases to look at.
    """
    shape = len(rows.values), len(columns.values)
    size = shape[0] * shape[1]
    top, bottom = _sides(figures, metric)
    chosen = np.flatnonzero(within & figures.there)
    cells = rows.codes[chosen].astype(np.int64) * shape[1] + columns.codes[chosen]
    tops = np.bincount(cells, np.nan_to_num(top[chosen]), minlength=size)
    bottoms = np.bincount(cells, np.nan_to_num(bottom[chosen]), minlength=size)
    cases = np.bincount(cells, minlength=size)
    # A rate over no pair at all is 0, as the evaluator has it; a mean over nothing is undefined.
    there = cases > 0 if metric == "ddi_rate" else bottoms > 0
    values = np.where(there, share(tops, bottoms), np.nan)
    return Heat(rows, columns, metric, cases.reshape(shape), values.reshape(shape))


def _sides(figures: Figures, metric: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What is summed above and below the line."""
    if metric == "ddi_rate":
        return figures.interacting, figures.pairs
    values = figures.of(metric)
    return values, (~np.isnan(values)).astype(np.float32)
