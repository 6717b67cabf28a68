"""The scored cases as arrays: whom they are about, what each model's figures of them are, and which classes it chose.

Everything here is small beside the probabilities (some 200 bytes a case), so that it stays in memory.
Refuses to know where it came from. Letters: N cases, A classes, E marks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.fields import Column

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Frame:
    """N cases in the order of their visits' ids."""

    visit_ids: NDArray[np.int64]  # (N,) rising
    patient_ids: NDArray[np.int64]  # (N,)
    columns: Mapping[str, Column]  # by field
    numbers: Mapping[str, Floats]  # by name, see fields.NUMBERS; NaN where not recorded
    chapters: tuple[str, ...]  # at most 63
    chapter_bits: NDArray[np.int64]  # (N,) bit n: a diagnosis of the current visit is in chapters[n]
    real_pairs: Floats  # (N,) pairs among what was prescribed
    real_interacting: Floats  # (N,) of them, pairs of the statistical table

    def __len__(self) -> int:
        return len(self.visit_ids)

    @cached_property
    def people(self) -> tuple[int, NDArray[np.int64]]:
        """How many patients there are, and the number of each case's patient in an order of no meaning.

        The order is shuffled, so that pools of consecutive numbers are random pools.
        """
        found, owner = np.unique(self.patient_ids, return_inverse=True)
        shuffled = np.random.default_rng(42).permutation(len(found))
        return len(found), shuffled[owner]

    def rows(self, visit_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of some visits; those that are no scored case are left out."""
        return rows_of(self.visit_ids, visit_ids)


@dataclass(frozen=True, slots=True)
class Figures:
    """One model's figures of each case, (N,) each, by the definitions of `leader_core.evaluation.metrics`.

    All are NaN where the model has not scored the case.
    """

    there: Bools
    prauc: Floats  # NaN where nothing was prescribed, too
    jaccard: Floats
    f1: Floats
    precision: Floats
    recall: Floats
    medications: Floats  # classes suggested
    pairs: Floats  # pairs of them
    interacting: Floats  # of these, pairs of the statistical table

    def of(self, name: str) -> Floats:
        """A figure by its name."""
        values: Floats = getattr(self, name)
        return values


@dataclass(frozen=True, slots=True)
class Marks:
    """Every pair of case and class that was prescribed or that some model chose, E of them, by case and class.

    Bit 0 of `bits` says prescribed, bit i + 1 that `models[i]` chose it. Pairs without a bit are not listed.
    """

    models: tuple[str, ...]
    rows: NDArray[np.int32]  # (E,) rising
    classes: NDArray[np.int16]  # (E,)
    bits: NDArray[np.uint16]  # (E,)

    def has(self, model: str | None) -> Bools:
        """(E,) whether a model chose it; None asks whether it was prescribed."""
        bit = 0 if model is None else self.models.index(model) + 1
        return (self.bits >> np.uint16(bit)) & np.uint16(1) > 0


def rows_of(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the wanted ids stand among the rising known ones; those that are not there are left out."""
    places = np.minimum(np.searchsorted(known, wanted), max(0, len(known) - 1))
    return places[known[places] == wanted] if len(known) else places[:0]


def ratio(part: NDArray[Any], whole: NDArray[Any], agree: Bools) -> Floats:
    """part / whole; 1 where both sides are empty, 0 where only the whole is (as in `leader_core.evaluation.metrics`)."""
    out = np.where(agree, np.float32(1), np.float32(0))
    return np.divide(part, whole, out=out, where=whole > 0, casting="unsafe")
