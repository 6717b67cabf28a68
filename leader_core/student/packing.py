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
    ends = visits.cumsum()
    starts = ends - visits
    slots = spans(encoded.first[rows], visits)  # (S,) the visit at each position
    distinct, index = np.unique(slots, return_inverse=True)
    before = np.roll(index, 1)  # (S,) of `distinct`, the visit whose medications a position holds
    before[starts] = len(distinct)  # none: it holds the profile
    current = index[ends - 1] if with_labels else index[:0]
    read = np.zeros(len(distinct) + 1, dtype=bool)
    read[before] = read[current] = True
    number = np.full((len(KINDS), len(distinct) + 1), -1)  # of the set of each stream and visit
    packed: list[_Sets] = []
    count = 0
    for stream, kind in enumerate(KINDS):
        visited = np.flatnonzero(read[:-1]) if kind == "medication" else np.arange(len(distinct))
        sets = _pack_sets(encoded.sets(kind), distinct[visited], spare)
        number[stream, visited[sets.order]] = np.arange(count, count + len(sets.order))
        count += len(sets.order)
        packed.append(sets)
    number[number < 0] = count
    streams = np.concatenate([number[0, index], number[1, index], number[2, before]])
    back = ends.repeat(visits) - np.arange(len(slots))
    recency = np.concatenate([back, back, back])
    recency[2 * len(slots) + starts] = 0
    # From (stream, position) to (case, stream, position): a case's three streams stand together
    begins = (starts[:, None] + len(slots) * np.arange(len(KINDS))).ravel()
    case_major = spans(begins, visits.repeat(len(KINDS)))
    counts = np.bincount(visits)
    return Packed(
        tokens=np.concatenate([sets.tokens for sets in packed]),
        rectangles={kind: sets.rectangles for kind, sets in zip(KINDS, packed, strict=True)},
        visits=tuple(Rectangle(int(counts[n]) * len(KINDS), int(n), None) for n in np.flatnonzero(counts)),
        set_at_position=streams[case_major],
        recency=recency[case_major],
        profile_positions=len(KINDS) * starts + (len(KINDS) - 1) * visits,
        profile=encoded.profile[rows],
        prescribed=number[2, current],
        restore=np.argsort(order, kind="stable"),
        linear=linear,
    )


def linear_inputs(encoded: EncodedCases, rows: Ints, layout: LinearLayout) -> LinearInputs:
    """What a linear path and a carry-over read of the cases `rows`. Current medications are not among it."""
    current, first = encoded.current[rows], encoded.first[rows]
    parts = [(encoded.sets(kind).take(current), 0) for kind in ("diagnosis", "procedure")]
    parts += [(encoded.sets(kind).merge(first, current), layout.tokens) for kind in KINDS]
    base = layout.size * np.arange(len(rows))  # a column's key is its own and its case's
    profile = base[:, None] + layout.profile_starts + encoded.profile[rows]
    keys = [profile.ravel(), base[encoded.first_visit[rows]] + layout.first_visit]
    for sets, start in parts:
        named = sets.values < layout.tokens  # others are read by their title alone
        keys.append((base.repeat(sets.lengths) + start + sets.values)[named])
    case, column = np.divmod(np.unique(np.concatenate(keys)), layout.size)
    lengths = np.bincount(case, minlength=len(rows))
    last = encoded.medication.merge(np.maximum(first, current - 1), current)
    taken = np.zeros((len(rows), layout.medications), dtype=bool)
    known = last.values < RESERVED + layout.medications
    taken[last.owners[known], last.values[known] - RESERVED] = True
    return LinearInputs(
        Ragged.of_lengths(lengths, column.astype(np.int32)),
        taken,
        ~encoded.first_visit[rows],
        encoded.days[rows],
    )


@dataclass(frozen=True, slots=True)
class _Sets:
    """The non-empty sets of one kind, by length."""

    tokens: Ints
    rectangles: tuple[Rectangle, ...]
    order: Ints  # which of the wanted rows each set is


def _pack_sets(sets: Ragged, wanted: Ints, spare: int) -> _Sets:
    """Pack the non-empty sets among the rows `wanted`."""
    begins = sets.offsets[wanted]
    lengths = sets.offsets[wanted + 1] - begins
    order = np.argsort(lengths, kind="stable")
    order = order[int((lengths == 0).sum()) :]
    lengths, begins = lengths[order], begins[order]
    rectangles = rectangles_of(lengths, spare)
    values = sets.values[spans(begins, lengths)]
    if all(r.mask is None for r in rectangles):
        return _Sets(values.astype(np.int64), rectangles, order)
    padded = np.repeat([r.length for r in rectangles], [r.rows for r in rectangles])
    tokens = np.full(int(padded.sum()), PAD, dtype=np.int64)
    tokens[spans(np.cumsum(padded) - padded, lengths)] = values
    return _Sets(tokens, rectangles, order)


def rectangles_of(lengths: Ints, spare: int) -> tuple[Rectangle, ...]:
    """Group sorted lengths into rectangles, padding shorter ones where that costs at most `spare` positions."""
    counts = np.bincount(lengths)
    groups: list[list[int]] = []  # [first row, rows, length, padding] of each, longest first
    row = len(lengths)
    for value in np.flatnonzero(counts)[::-1].tolist():
        count = int(counts[value])
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
