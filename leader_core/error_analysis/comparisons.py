"""Two models on each class, two sets of cases (drift), two annotators (Cohen's kappa).

* The population stability index of a field sums (p - q) ln(p / q) over its values; shares of nothing count as half a
  case. By custom below 0.1 is little, above 0.25 is much.
* The standardised difference of a number is the difference of means over the root of the mean variance; of a class,
  that of the shares prescribed.

Letters: N cases, A classes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.frame import NUMBERS, Bools, Choices, Column, Frame

RowT = TypeVar("RowT", bound=Hashable)

LITTLE: Final = 0.1
MUCH: Final = 0.25


@dataclass(frozen=True, slots=True)
class ModelAgreement:
    """Two models on each class: (A, 2, 2, 2) cases by prescribed, chosen by the first, chosen by the second."""

    first: str
    second: str
    counts: NDArray[np.int64]

    @property
    def right(self) -> dict[str, NDArray[np.int64]]:
        """(A,) each: where both, only one, or neither are right about a class, prescribed or not."""
        given, not_given = self.counts[:, 1], self.counts[:, 0]
        return {
            "both": given[:, 1, 1] + not_given[:, 0, 0],
            self.first: given[:, 1, 0] + not_given[:, 0, 1],
            self.second: given[:, 0, 1] + not_given[:, 1, 0],
            "neither": given[:, 0, 0] + not_given[:, 1, 1],
        }


def model_agreement(choices: Choices, first: str, second: str, classes: int, within: Bools) -> ModelAgreement:
    """Cases by what was prescribed and what two models chose; `within`: cases that both have scored."""
    inside = within[choices.rows]
    state = 4 * choices.by(None).astype(np.int64) + 2 * choices.by(first) + choices.by(second)
    counts = np.bincount(
        choices.classes[inside].astype(np.int64) * 8 + state[inside], minlength=classes * 8
    ).reshape(classes, 8)
    counts[:, 0] = int(within.sum()) - counts[:, 1:].sum(1)  # pairs that nobody chose are not listed
    return ModelAgreement(first, second, counts.reshape(classes, 2, 2, 2))


@dataclass(frozen=True, slots=True)
class Shift:
    """One field, number or class in both sets."""

    kind: str  # "field", "number" or "class"
    name: str  # of the field or number; a class's ATC code
    measure: float  # stability index of a field, else standardised difference; NaN where it is not defined
    first: float  # mean or share in the first set; of a field, the share of the value that changed most
    second: float
    value: str = ""  # of a field: the value that changed most


def shifts(
    frame: Frame,
    choices: Choices,
    codes: Sequence[str],
    first: Bools,
    second: Bools,
) -> tuple[Shift, ...]:
    """How the second set differs from the first; fields but the split, then numbers, then classes, each largest first.

    Args:
        frame: the N cases.
        choices: what was prescribed in each.
        codes: the A classes.
        first: (N,) one set.
        second: (N,) the other.
    """
    fields = [_field(c, first, second) for c in frame.columns.values() if c.name != "split"]
    numbers = [_number(name, frame.numbers[name], first, second) for name in NUMBERS]
    classes = _classes(choices, codes, first, second)
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
    most = int(np.abs(p / p.sum() - q / q.sum()).argmax())
    index = float(((a - b) * np.log(a / b)).sum())
    return Shift("field", column.name, index, p[most] / p.sum(), q[most] / q.sum(), column.values[most])


def _number(name: str, values: NDArray[np.float32], first: Bools, second: Bools) -> Shift:
    a, b = (values[mask & ~np.isnan(values)].astype(np.float64) for mask in (first, second))
    if not len(a) or not len(b):
        return Shift("number", name, float("nan"), float("nan"), float("nan"))
    return Shift("number", name, _standardised(a.mean(), b.mean(), a.var(), b.var()), a.mean(), b.mean())


def _classes(choices: Choices, codes: Sequence[str], first: Bools, second: Bools) -> list[Shift]:
    given = choices.by(None)
    rows, numbers = choices.rows[given], choices.classes[given]
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


@dataclass(frozen=True, slots=True)
class AnnotatorAgreement:
    """Two annotators over the rows that both have tagged: on all kinds of error (kind ""), or on one against the rest."""

    kind: str
    rows: int  # that both have tagged
    agreed: int  # the same kind in both; of one kind, both or neither saw it
    both: int | None  # saw this kind; None over all kinds
    first_only: int | None
    second_only: int | None
    kappa: float | None  # None where chance alone would agree always: one answer only

    @property
    def observed(self) -> float:
        """Share of rows on which they agree; 0 without a row."""
        return self.agreed / self.rows if self.rows else 0.0


def annotator_agreement(
    first: Mapping[RowT, str], second: Mapping[RowT, str]
) -> tuple[AnnotatorAgreement, ...]:
    """Cohen's kappa over the rows that both have tagged: of all kinds together, then of each that either saw.

    Args:
        first: row -> the kind that the first annotator saw in it.
        second: the same of the second.
    """
    shared = [row for row in first if row in second]
    one, other = [first[row] for row in shared], [second[row] for row in shared]
    agreed = sum(a == b for a, b in zip(one, other, strict=True))
    whole = AnnotatorAgreement("", len(shared), agreed, None, None, None, _kappa(one, other))
    return (whole, *(_of_kind(kind, one, other) for kind in sorted({*one, *other})))


def _of_kind(kind: str, first: Sequence[str], second: Sequence[str]) -> AnnotatorAgreement:
    pairs = [(a == kind, b == kind) for a, b in zip(first, second, strict=True)]
    both, one, two = (pairs.count(pair) for pair in ((True, True), (True, False), (False, True)))
    kappa = _kappa([a for a, _ in pairs], [b for _, b in pairs])
    return AnnotatorAgreement(kind, len(pairs), len(pairs) - one - two, both, one, two, kappa)


def _kappa(first: Sequence[object], second: Sequence[object]) -> float | None:
    from sklearn.metrics import cohen_kappa_score  # a second to import, needed by one view

    # Without a row, or where both gave one and the same answer throughout, kappa is not defined.
    return float(cohen_kappa_score(first, second)) if len({*first, *second}) > 1 else None
