"""Whether two sets of cases are alike: field by field, number by number, class by class.

* The population stability index of a field sums (p - q) ln(p / q) over its values; shares of nothing count as half a
  case. By custom below 0.1 is little, above 0.25 is much.
* The standardised difference of a number is the difference of means over the root of the mean variance; of a class,
  that of the shares prescribed.

Refuses to know databases and pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.fields import NUMBERS, Column
from leader_core.error_analysis.frame import Bools, Frame, Marks

LITTLE: Final = 0.1
MUCH: Final = 0.25


@dataclass(frozen=True, slots=True)
class Shift:
    """One field, number or class in both sets."""

    kind: str  # "field", "number" or "class"
    name: str  # of the field or number; a class's ATC code
    measure: (
        float  # stability index of a field, standardised difference otherwise; NaN where it is not defined
    )
    first: float  # mean or share in the first set; of a field, the share of the value that moved most
    second: float
    value: str = ""  # of a field: the value that moved most


def shifts(
    frame: Frame,
    marks: Marks,
    codes: Sequence[str],
    first: Bools,
    second: Bools,
    skip: Sequence[str] = ("split",),
) -> tuple[Shift, ...]:
    """How the second set differs from the first; fields, then numbers, then classes, each largest first.

    Args:
        frame: the N cases.
        marks: what was prescribed in each.
        codes: the A classes.
        first: (N,) one set.
        second: (N,) the other.
        skip: fields to leave out.
    """
    fields = [_field(c, first, second) for c in frame.columns.values() if c.name not in skip]
    numbers = [_number(name, frame.numbers[name], first, second) for name in NUMBERS]
    classes = _classes(marks, codes, first, second)
    return tuple(
        shift
        for part in (fields, numbers, classes)
        for shift in sorted(part, key=lambda s: -abs(np.nan_to_num(s.measure)))
    )


def _field(column: Column, first: Bools, second: Bools) -> Shift:
    size = len(column.values)
    p, q = (np.bincount(column.codes[mask], minlength=size).astype(np.float64) for mask in (first, second))
    if not p.sum() or not q.sum():
        return Shift("field", column.name, float("nan"), float("nan"), float("nan"))
    used = (p > 0) | (q > 0)
    a, b = (np.where(n == 0, 0.5, n) / n.sum() for n in (p[used], q[used]))
    moved = int(np.abs(p / p.sum() - q / q.sum()).argmax())
    index = float(((a - b) * np.log(a / b)).sum())
    return Shift("field", column.name, index, p[moved] / p.sum(), q[moved] / q.sum(), column.values[moved])


def _number(name: str, values: NDArray[np.float32], first: Bools, second: Bools) -> Shift:
    a, b = (values[mask & ~np.isnan(values)].astype(np.float64) for mask in (first, second))
    if not len(a) or not len(b):
        return Shift("number", name, float("nan"), float("nan"), float("nan"))
    return Shift("number", name, _standardised(a.mean(), b.mean(), a.var(), b.var()), a.mean(), b.mean())


def _classes(marks: Marks, codes: Sequence[str], first: Bools, second: Bools) -> list[Shift]:
    given = marks.has(None)
    rows, numbers = marks.rows[given], marks.classes[given]
    shares = [
        np.bincount(numbers[mask[rows]], minlength=len(codes)) / max(1, int(mask.sum()))
        for mask in (first, second)
    ]
    if not first.any() or not second.any():
        return []
    return [
        Shift("class", code, _standardised(p, q, p * (1 - p), q * (1 - q)), float(p), float(q))
        for code, p, q in zip(codes, *(s.tolist() for s in shares), strict=True)
        if p or q
    ]


def _standardised(a: float, b: float, var_a: float, var_b: float) -> float:
    spread = np.sqrt((var_a + var_b) / 2)
    return float((b - a) / spread) if spread > 0 else (0.0 if a == b else float("nan"))
