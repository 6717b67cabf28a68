"""The scored cases as arrays: the fields they can be grouped by, each model's metrics of them, and the classes chosen.

Everything here is small next to the probabilities (some 200 bytes per case), so that it stays in memory.
Letters: N cases, A classes, E pairs of case and class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import AGE_BANDS, UNKNOWN

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

PROFILE: Final = (
    "gender",
    "ethnicity",
    "insurance",
    "language",
    "marital_status",
    "religion",
    "admission_type",
)
"""Texts of the source."""

BANDS: Final[Mapping[str, tuple[int, ...]]] = {
    "visits": (2, 3, 4),
    "diagnoses": (6, 11, 16),
    "prescribed": (6, 11, 16, 21),
}
"""Whole numbers by band: where each band but the first begins."""

FIELDS: Final = (
    "history",
    "visits",
    "age_band",
    *PROFILE,
    "chapter",
    "diagnoses",
    "prescribed",
    "truncated",
    "split",
)
"""Every grouping, in the order in which a page offers them."""

NUMBERS: Final = ("age", "visits", "diagnoses", "procedures", "prescribed")
"""Fields that a tree may split anywhere."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of N cases: `values[codes[n]]` is the value of case n."""

    name: str
    values: tuple[str, ...]  # in the order to show; UNKNOWN where not recorded
    codes: NDArray[np.int16]  # (N,)


@dataclass(frozen=True)
class Frame:
    """N cases in the order of their visits' ids."""

    visit_ids: NDArray[np.int64]  # (N,) rising
    patient_ids: NDArray[np.int64]  # (N,)
    columns: Mapping[str, Column]  # by field
    numbers: Mapping[str, Floats]  # by name, see NUMBERS; NaN where not recorded
    chapters: tuple[str, ...]  # at most 63
    chapter_bits: NDArray[np.int64]  # (N,) bit n: a diagnosis of the current visit is in chapters[n]
    real_pairs: Floats  # (N,) pairs among what was prescribed
    real_interacting: Floats  # (N,) of them, pairs of the statistical table

    def __len__(self) -> int:
        return len(self.visit_ids)

    @cached_property
    def patient_numbers(self) -> NDArray[np.int64]:
        """(N,) the number of each case's patient, from 0, in random order.

        Shuffled, so that pools of consecutive numbers are random pools (`leader_core.evaluation.bootstrap`).
        """
        patients, owner = np.unique(self.patient_ids, return_inverse=True)
        shuffled = np.random.default_rng(42).permutation(len(patients))
        return shuffled[owner]

    def rows(self, visit_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of some visits; those that are no scored case are left out."""
        return rows_of(self.visit_ids, visit_ids)


@dataclass(frozen=True, slots=True)
class StoredMetrics:
    """One model's metrics of each case, (N,) each, by the definitions of `leader_core.evaluation.metrics`.

    All are NaN where the model has not scored the case.
    """

    scored: Bools
    prauc: Floats  # NaN where nothing was prescribed, too
    jaccard: Floats
    f1: Floats
    precision: Floats
    recall: Floats
    medications: Floats  # classes suggested
    pairs: Floats  # pairs of them
    interacting: Floats  # of these, pairs of the statistical table

    def of(self, name: str) -> Floats:
        """A metric by its name."""
        values: Floats = getattr(self, name)
        return values


@dataclass(frozen=True, slots=True)
class Choices:
    """Every pair of case and class that was prescribed or that some model chose, E of them, by case and class.

    Bit 0 of `bits` says prescribed, bit i + 1 that `models[i]` chose it. Pairs without a bit are not listed.
    """

    models: tuple[str, ...]
    rows: NDArray[np.int32]  # (E,) rising
    classes: NDArray[np.int16]  # (E,)
    bits: NDArray[np.uint16]  # (E,)

    def by(self, model: str | None) -> Bools:
        """(E,) whether a model chose it; None: whether it was prescribed."""
        bit = 0 if model is None else self.models.index(model) + 1
        return (self.bits >> np.uint16(bit)) & np.uint16(1) > 0


def rows_of(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the wanted ids stand among the rising known ones; those that are not there are left out."""
    places = np.minimum(np.searchsorted(known, wanted), max(0, len(known) - 1))
    return places[known[places] == wanted] if len(known) else places[:0]


def text_column(name: str, column: Any) -> Column:
    """A column of texts from an Arrow column; empty ones are UNKNOWN, values sorted, UNKNOWN last."""
    coded = column.combine_chunks().dictionary_encode()
    texts = [text or UNKNOWN for text in coded.dictionary.to_pylist()]
    order = _order(name, set(texts))
    place = {value: i for i, value in enumerate(order)}
    table = np.array([place[value] for value in texts], np.int16)
    return Column(name, order, table[coded.indices.to_numpy()] if texts else np.zeros(0, np.int16))


def _order(name: str, used: set[str]) -> tuple[str, ...]:
    if name == "split":
        return tuple(v for v in ("train", "validation", "test") if v in used)
    return (*sorted(used - {UNKNOWN}), *({UNKNOWN} & used))


def age_column(ages: NDArray[np.floating[Any]]) -> Column:
    """The bands of `domain.age_band`; those without a case are left out, an age that is NaN is UNKNOWN."""
    uppers = np.array([upper for upper, _ in AGE_BANDS], dtype=np.float64)
    known = ~np.isnan(ages) & (ages >= 0)
    places = np.where(known, np.searchsorted(uppers, np.where(known, ages, 0), side="right"), len(AGE_BANDS))
    return _only_used("age_band", (*(label for _, label in AGE_BANDS), UNKNOWN), places)


def band_column(name: str, numbers: NDArray[Any]) -> Column:
    """Whole numbers by band of `BANDS`.

    >>> band_column("visits", np.array([1, 3, 9])).values
    ('1', '3', '4 or more')
    """
    starts = BANDS[name]
    lowest = 1 if name == "visits" else 0
    labels = [_band(a, b) for a, b in zip((lowest, *starts), (*starts, None), strict=True)]
    return _only_used(name, labels, np.searchsorted(np.array(starts), numbers, side="right"))


def flag_column(name: str, flags: NDArray[np.bool_], no: str, yes: str) -> Column:
    """Two values, also where one of them has no case."""
    return Column(name, (no, yes), flags.astype(np.int16))


def _band(start: int, end: int | None) -> str:
    if end is None:
        return f"{start} or more"
    return str(start) if end - start == 1 else f"{start} to {end - 1}"


def _only_used(name: str, labels: Sequence[str], places: NDArray[np.int64]) -> Column:
    used = np.unique(places)
    table = np.zeros(len(labels), np.int16)
    table[used] = np.arange(len(used))
    return Column(name, tuple(labels[i] for i in used), table[places])
