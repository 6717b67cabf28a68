"""A batch laid out without needless padding: code sets of like size side by side, visits of like count likewise.

The layout changes no result: it only decides which rows are multiplied together.

Letters: B cases, S visits of all cases of a batch (3S positions: three streams), Q distinct non-empty sets, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import KINDS, Kind
from leader_core.ragged import Ints, Ragged, spans
from leader_core.student.encode import PAD, RESERVED, EncodedCases, LinearLayout

SPARE: Final = 16
"""Rows of padding worth spending to save one more rectangle: about what its separate matrix products cost."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """`rows` sequences of `length` positions each, consecutive in the packed order."""

    rows: int
    length: int
    mask: NDArray[np.bool_] | None  # (rows, length) True at real positions; None where all are

    @property
    def size(self) -> int:
        return self.rows * self.length


@dataclass(frozen=True, slots=True)
class Packed:
    """B cases, reordered by number of visits.

    Q distinct non-empty sets of all kinds are numbered in the order of `rectangles`; number Q is the empty set.
    """

    tokens: Ints  # (T,) token ids of all sets, PAD in padding
    rectangles: Mapping[Kind, tuple[Rectangle, ...]]  # of the tokens, kind after kind in the order of KINDS
    visits: tuple[Rectangle, ...]  # of the positions below: a row for each case and stream
    set_at_position: Ints  # (3S,) the set that each position of each stream holds
    recency: Ints  # (3S,) 1 at the current visit, 2 at the one before, and so on; 0 at the profile's position
    profile_positions: Ints  # (B,) the position that the profile takes in each case's medication stream
    profile: Ints  # (B, K) rows of each field's table
    prescribed: Ints  # (B,) only for alignment: the set prescribed at the current visit; else empty
    restore: Ints  # (B,) packed row of each case of the batch
    linear: LinearInputs | None  # what a linear path and a carry-over read, in the batch's own order


@dataclass(frozen=True, slots=True)
class LinearInputs:
    """B cases as a linear model reads them."""

    columns: Ragged  # B rows of columns of the `LinearLayout`, each once
    taken: NDArray[np.bool_]  # (B, M) classes of the last earlier visit
    returning: NDArray[np.bool_]  # (B,) there is an earlier visit
    days: NDArray[np.float32]  # (B,) since then; NaN where not known


def pack(encoded: EncodedCases, rows: Ints, *, with_labels: bool = False, spare: int = SPARE) -> Packed:
    """Lay out the cases `rows`.

    Place t of a case's streams holds the diagnoses and the procedures of visit t and the medications of visit t - 1;
    the first position's medications are the profile. The current visit's medications are packed only `with_labels`, and
    then reachable through `prescribed` alone.
    """
    linear = None if encoded.linear is None else linear_inputs(encoded, rows, encoded.linear)
    visits = encoded.current[rows] - encoded.first[rows] + 1  # (B,)
    order = np.argsort(visits, kind="stable")
    rows, visits = rows[order], visits[order]
    ends = np.cumsum(visits)
    starts = ends - visits
    slots = spans(encoded.first[rows], visits)  # (S,) the visit at each position
    back = np.repeat(ends, visits) - np.arange(len(slots))
    earlier = np.empty_like(
        slots
    )  # (S,) the visit whose medications a position holds, -1 where it is the profile
    earlier[1:] = slots[:-1]
    earlier[starts] = -1
    current = encoded.current[rows] if with_labels else np.zeros(0, dtype=np.int64)
    wanted = {"diagnosis": slots, "procedure": slots, "medication": np.concatenate((earlier, current))}
    packed = {kind: _pack_sets(encoded.sets(kind), wanted[kind], spare) for kind in KINDS}
    total = sum(p.count for p in packed.values())
    numbers, first = {}, 0
    for kind in KINDS:
        numbers[kind] = np.where(
            packed[kind].set_of_row < packed[kind].count, packed[kind].set_of_row + first, total
        )
        first += packed[kind].count
    # From (stream, position) to (case, stream, position): a case's three streams stand together
    case_major = spans(np.repeat(starts, len(KINDS)), np.repeat(visits, len(KINDS)))
    stream = np.repeat(np.tile(np.arange(len(KINDS)), len(rows)), np.repeat(visits, len(KINDS)))
    streams = np.stack([numbers[kind][: len(slots)] for kind in KINDS])
    recency = np.stack([back, back, back])
    recency[-1, starts] = 0
    counts = np.bincount(visits)
    return Packed(
        tokens=np.concatenate([packed[kind].tokens for kind in KINDS]),
        rectangles={kind: packed[kind].rectangles for kind in KINDS},
        visits=tuple(Rectangle(int(counts[n]) * len(KINDS), int(n), None) for n in np.flatnonzero(counts)),
        set_at_position=streams[stream, case_major],
        recency=recency[stream, case_major],
        profile_positions=len(KINDS) * starts + (len(KINDS) - 1) * visits,
        profile=encoded.profile[rows],
        prescribed=numbers["medication"][len(slots) :],
        restore=np.argsort(order, kind="stable"),
        linear=linear,
    )


def linear_inputs(encoded: EncodedCases, rows: Ints, layout: LinearLayout) -> LinearInputs:
    """What a linear path and a carry-over read of the cases `rows`. Current medications are not among it."""
    current, first = encoded.current[rows], encoded.first[rows]
    parts = [encoded.sets(kind).merge(current, current + 1) for kind in ("diagnosis", "procedure")]
    earlier = [encoded.sets(kind).merge(first, current) for kind in KINDS]
    starts = [0] * len(parts) + [layout.tokens] * len(earlier)
    parts += earlier
    profile = encoded.profile[rows] + layout.profile_starts
    newcomers = np.flatnonzero(encoded.first_visit[rows])
    named = [part.values < layout.tokens for part in parts]  # others are read by their title alone
    owners = [
        *(part.owners[known] for part, known in zip(parts, named, strict=True)),
        np.repeat(np.arange(len(rows)), profile.shape[1]),
        newcomers,
    ]
    columns = [
        *(part.values[known] + start for part, known, start in zip(parts, named, starts, strict=True)),
        profile.ravel(),
        np.full(len(newcomers), layout.first_visit),
    ]
    keys = np.unique(np.concatenate(owners) * layout.size + np.concatenate(columns))
    lengths = np.bincount(keys // layout.size, minlength=len(rows))
    last = encoded.medication.merge(np.maximum(first, current - 1), current)
    taken = np.zeros((len(rows), layout.medications), dtype=bool)
    known = last.values < RESERVED + layout.medications
    taken[last.owners[known], last.values[known] - RESERVED] = True
    return LinearInputs(
        Ragged.of_lengths(lengths, (keys % layout.size).astype(np.int32)),
        taken,
        ~encoded.first_visit[rows],
        encoded.days[rows],
    )


@dataclass(frozen=True, slots=True)
class _Sets:
    """The distinct non-empty sets of one kind."""

    tokens: Ints
    rectangles: tuple[Rectangle, ...]
    set_of_row: Ints  # which set each wanted row is; `count` where it is empty
    count: int


def _pack_sets(sets: Ragged, wanted: Ints, spare: int) -> _Sets:
    """Pack each distinct non-empty set among `wanted` (-1: none) once."""
    distinct, index = np.unique(wanted, return_inverse=True)  # a negative row comes first
    offsets = sets.offsets
    lengths = offsets[distinct + 1] - offsets[distinct]
    if len(distinct) and distinct[0] < 0:
        lengths[0] = 0
    by_length = np.argsort(lengths, kind="stable")
    by_length = by_length[int((lengths == 0).sum()) :]
    count = len(by_length)
    number = np.full(len(distinct), count, dtype=np.int64)
    number[by_length] = np.arange(count)
    lengths, begins = lengths[by_length], offsets[distinct[by_length]]
    rectangles = rectangles_of(lengths, spare)
    values = sets.values[spans(begins, lengths)]
    if all(r.mask is None for r in rectangles):
        return _Sets(values.astype(np.int64), rectangles, number[index], count)
    padded = np.repeat([r.length for r in rectangles], [r.rows for r in rectangles])
    tokens = np.full(int(padded.sum()), PAD, dtype=np.int64)
    tokens[spans(np.cumsum(padded) - padded, lengths)] = values
    return _Sets(tokens, rectangles, number[index], count)


def rectangles_of(lengths: Ints, spare: int) -> tuple[Rectangle, ...]:
    """Group sorted lengths into rectangles, padding shorter ones where that costs at most `spare` positions."""
    values, counts = np.unique(lengths, return_counts=True)
    groups: list[list[int]] = []  # [first row, rows, length, padding] of each, longest first
    row = len(lengths)
    for value, count in zip(values[::-1].tolist(), counts[::-1].tolist(), strict=True):
        row -= count
        if groups and groups[-1][3] + count * (groups[-1][2] - value) <= spare:
            last = groups[-1]
            last[3] += count * (last[2] - value)
            last[0], last[1] = row, last[1] + count
        else:
            groups.append([row, count, value, 0])
    return tuple(
        Rectangle(
            rows,
            length,
            np.arange(length) < lengths[first : first + rows, None] if padding else None,
        )
        for first, rows, length, padding in reversed(groups)
    )
