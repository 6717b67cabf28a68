"""What cases can be grouped by: the fields, their values in order, and the bands of numbers.

Refuses to know figures, databases and how a field is called on a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import AGE_BANDS, UNKNOWN

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

SENSITIVE: Final = ("ethnicity", "insurance", "gender", "age_band", "language")
"""Fields by which a model should not be worse for anybody."""

NUMBERS: Final = ("age", "visits", "diagnoses", "procedures", "prescribed")
"""Fields that a tree may split anywhere."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of N cases: `values[codes[n]]` is the value of case n."""

    name: str
    values: tuple[str, ...]  # in the order to show; UNKNOWN where not recorded
    codes: NDArray[np.int16]  # (N,)


def text_column(name: str, texts: Any) -> Column:
    """A column of texts from an Arrow column; empty ones are UNKNOWN, values sorted, UNKNOWN last."""
    coded = texts.combine_chunks().dictionary_encode()
    found = [text or UNKNOWN for text in coded.dictionary.to_pylist()]
    order = _order(name, set(found))
    place = {value: i for i, value in enumerate(order)}
    table = np.array([place[value] for value in found], np.int16)
    return Column(name, order, table[coded.indices.to_numpy()] if len(found) else np.zeros(0, np.int16))


def _order(name: str, found: set[str]) -> tuple[str, ...]:
    if name == "split":
        return tuple(v for v in ("train", "validation", "test") if v in found)
    return (*sorted(found - {UNKNOWN}), *({UNKNOWN} & found))


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
    """Two values, both kept even where one has no case."""
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
