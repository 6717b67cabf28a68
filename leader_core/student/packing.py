"""A batch laid out without needless padding: code sets of like size side by side, visits of like count likewise.

The layout changes no result: it only decides which rows are multiplied together. Refuses to know any weight.

Letters: B cases, S slots (visits of all cases in the batch), Q distinct non-empty sets, T tokens in the packed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import KINDS, Kind
from leader_core.student.encode import PAD, EncodedCases, Ints, Ragged, spans

SPARE: Final = 16
"""Rows of padding worth spending to save one more rectangle: about what its separate matrix products cost."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """`rows` sequences of `length` places each, consecutive in the packed order."""

    rows: int
    length: int
    lengths: Ints | None  # (rows,) real places, where some are padding; None where none is

    @property
    def size(self) -> int:
        return self.rows * self.length


@dataclass(frozen=True, slots=True)
class PackedSets:
    """The distinct non-empty sets of one kind that a batch reads."""

    tokens: Ints  # (T,) token ids, PAD in padding
    rectangles: tuple[Rectangle, ...]
    slots: Ints  # (S,) which set each slot holds; Q, the zero vector, where it is empty or not to be read
    labels: Ints  # (B,) medication only, and only for alignment: the set prescribed at the current visit; else empty


@dataclass(frozen=True, slots=True)
class Packed:
    """B cases, reordered by number of visits; `order[i]` is the place in the batch of the i-th packed case."""

    sets: dict[Kind, PackedSets]
    profile: Ints  # (B, K) in packed order
    visits: tuple[Rectangle, ...]  # of the slots: cases with the same number of visits
    places: Ints  # (S,) visits counted back from the current one, 0 for the current
    profile_slots: Ints  # (B,) the slot that holds the profile in the medication stream
    restore: Ints  # (B,) packed place of each case of the batch


def pack(encoded: EncodedCases, rows: Ints, *, with_labels: bool = False, spare: int = SPARE) -> Packed:
    """Lay out the cases `rows`.

    Slot t of a case holds the diagnoses and procedures of visit t and the medications of visit t - 1; its first
    slot's medications are the profile. The current visit's medications are packed only `with_labels`, and then
    reachable through `labels` alone.
    """
    visits = encoded.current[rows] - encoded.first[rows] + 1  # (B,)
    order = np.argsort(visits, kind="stable")
    rows, visits = rows[order], visits[order]
    ends = np.cumsum(visits)
    starts = ends - visits
    slot_rows = spans(encoded.first[rows], visits)  # (S,) visit of each slot
    places = np.repeat(ends, visits) - 1 - np.arange(len(slot_rows))
    earlier = np.empty_like(slot_rows)  # (S,) visit whose medications each slot reads, -1 at the profile's
    earlier[1:] = slot_rows[:-1]
    earlier[starts] = -1
    current = encoded.current[rows] if with_labels else np.zeros(0, dtype=np.int64)
    sets: dict[Kind, PackedSets] = {}
    for kind in KINDS:
        wanted = np.concatenate((earlier, current)) if kind == "medication" else slot_rows
        sets[kind] = _pack_sets(encoded.sets(kind), wanted, len(slot_rows), spare)
    counts = np.bincount(visits)
    return Packed(
        sets=sets,
        profile=encoded.profile[rows],
        visits=tuple(Rectangle(int(counts[n]), int(n), None) for n in np.flatnonzero(counts)),
        places=places,
        profile_slots=starts,
        restore=np.argsort(order, kind="stable"),
    )


def _pack_sets(sets: Ragged, wanted: Ints, slots: int, spare: int) -> PackedSets:
    """Pack each distinct non-empty set among `wanted` (-1: none) once."""
    distinct, index = np.unique(wanted, return_inverse=True)  # a negative row comes first
    offsets = sets.offsets
    lengths = offsets[distinct + 1] - offsets[distinct]
    if len(distinct) and distinct[0] < 0:
        lengths[0] = 0
    by_length = np.argsort(lengths, kind="stable")
    empty = int((lengths == 0).sum())
    by_length = by_length[empty:]
    place = np.full(len(distinct), len(by_length), dtype=np.int64)
    place[by_length] = np.arange(len(by_length))
    lengths, begins = lengths[by_length], offsets[distinct[by_length]]
    rectangles = rectangles_of(lengths, spare)
    padded = np.repeat([r.length for r in rectangles], [r.rows for r in rectangles]).astype(np.int64)
    if any(r.lengths is not None for r in rectangles):
        tokens = np.full(int(padded.sum()), PAD, dtype=np.int64)
        tokens[spans(np.cumsum(padded) - padded, lengths)] = sets.values[spans(begins, lengths)]
    else:
        tokens = sets.values[spans(begins, lengths)].astype(np.int64)
    held = place[index]
    return PackedSets(tokens, rectangles, held[:slots], held[slots:])


def rectangles_of(lengths: Ints, spare: int) -> tuple[Rectangle, ...]:
    """Group sorted lengths into rectangles, padding shorter ones where that costs at most `spare` places."""
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
        Rectangle(rows, length, lengths[first : first + rows] if padding else None)
        for first, rows, length, padding in reversed(groups)
    )


def padding_share(packed: Sequence[Packed]) -> float:
    """Share of packed places that are padding; what the layout costs."""
    total = sum(len(s.tokens) for p in packed for s in p.sets.values())
    pads = sum(int((s.tokens == PAD).sum()) for p in packed for s in p.sets.values())
    return pads / total if total else 0.0


Mask = NDArray[np.bool_]


def key_mask(rectangle: Rectangle) -> Mask | None:
    """(rows, length) True at real places; None where all are real."""
    if rectangle.lengths is None:
        return None
    return np.arange(rectangle.length) < rectangle.lengths[:, None]
