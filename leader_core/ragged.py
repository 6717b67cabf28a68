"""Rows of different lengths in two flat arrays: the codes of visits, the token ids of sets and of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ragged:
    """R rows end to end: row i is `values[offsets[i]:offsets[i + 1]]`."""

    offsets: Ints  # (R + 1,)
    values: NDArray[np.int32]  # (total,)

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> Self:
        """From rows as sequences."""
        rows = list(rows)
        values = np.fromiter((value for row in rows for value in row), dtype=np.int32)
        return cls.of_lengths([len(row) for row in rows], values)

    @classmethod
    def of_lengths(cls, lengths: ArrayLike, values: NDArray[np.int32]) -> Self:
        """From the length of each row and all values end to end."""
        return cls(_offsets(np.asarray(lengths, dtype=np.int64)), values)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """(R,)"""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def owners(self) -> Ints:
        """(total,) the row that each value belongs to."""
        return np.arange(len(self)).repeat(self.lengths)

    def row(self, index: int) -> NDArray[np.int32]:
        """The values of one row."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def take(self, rows: Ints) -> Self:
        """The chosen rows, in the given order."""
        return self.merge(rows, rows + 1)

    def merge(self, begin: Ints, end: Ints) -> Self:
        """For each i one row: rows `begin[i]` to `end[i] - 1` joined."""
        starts = self.offsets[begin]
        lengths = self.offsets[end] - starts
        return type(self)(_offsets(lengths), self.values[spans(starts, lengths)])

    def keep(self, chosen: NDArray[np.bool_]) -> Self:
        """The same rows without the values that are not `chosen` (total,)."""
        before = _offsets(chosen)
        return type(self)(before[self.offsets], self.values[chosen])


def spans(starts: Ints, lengths: Ints) -> Ints:
    """Positions of runs laid end to end: `starts[i]` to `starts[i] + lengths[i] - 1` for each i."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + (starts - (ends - lengths)).repeat(lengths)


def _offsets(lengths: NDArray[np.int64] | NDArray[np.bool_]) -> Ints:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    lengths.cumsum(out=offsets[1:])
    return offsets
