"""The error tree: the cases that a model does worst on, as a small decision tree over what is known of them.

Each node is split where it explains most of the errors' variance, as in a regression tree. Everything that may be
split is a whole number of few values, so cases are counted by value, a whole level of the tree at once, and never
sorted again. It is a search among many splits: a node says where to look, and a high rate in a small one may be
chance.

`sklearn.tree.DecisionTreeRegressor` over one-hot values would grow the same splits, but sorts every field in every
node: 1.3 s at depth 3 and 1.8 s at depth 4 for 300,000 cases and 65 columns, against 0.2 s here, and a page may take
0.3 s. It also leaves to chance which of two equal splits stands.

Letters: N cases, L open nodes of a level, K values of a field, S candidate splits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from leader_core.error_analysis.frame import NUMBERS, PROFILE, Bools, Column, Frame
from leader_core.error_analysis.groups import FEWEST
from leader_core.error_analysis.selection import Condition
from leader_core.errors import InputError

DEEPEST: Final = 4
SHARE: Final = 0.01
"""A leaf holds at least this share of the cases, and `FEWEST` of them."""
COMMON: Final = 12
"""Values of a field that a split may name: the most frequent."""
LEAST_GAIN: Final = 0.001
"""A split explains at least this share of the errors' variance."""
SURE: Final = 3.0
"""And its halves differ by more than this many standard errors."""
_EXACT: Final = 1e-9
"""What sums of the same numbers in another order may differ by."""

FIELDS: Final = ("age", "visits", "diagnoses", "procedures", "chapter", *PROFILE, "truncated")
"""What a tree may split: what is known of a case before its outcome. What was prescribed and how well the model did are
the outcome, and explain nothing."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `children` are indices in the tree's list: those for which `split` does not hold, then those where it does."""

    index: int
    depth: int
    conditions: tuple[Condition, ...]  # from the root
    cases: int
    coverage: float  # share of all cases
    rate: float  # mean error
    share: float  # of all error
    split: Condition | None
    children: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Tree:
    """The nodes, the root first."""

    nodes: tuple[Node, ...]

    @property
    def worst(self) -> Node:
        """The leaf with the highest rate."""
        return max((n for n in self.nodes if n.children is None), key=lambda n: n.rate)


class _Feature(Protocol):
    """Something known of the N cases, and its S candidate splits."""

    @property
    def splits(self) -> Sequence[tuple[Condition, Condition]]:
        """(S,) where each does not hold, and where it does."""

    def above(self, slots: NDArray[np.int32], errors: Floats, whole: Floats) -> Floats:
        """(2, L, S) how many cases of each open node every split holds for, and their error.

        Args:
            slots: (N,) the case's place among the open nodes; -1 in none.
            whole: (2, L) all cases of each node, and their error.
        """

    def holds(self, split: int, rows: NDArray[np.int64]) -> Bools:
        """(rows,) whether a split holds for some cases."""


class _NumberSplits:
    """A number, split between any two of its values; nothing recorded is -1."""

    def __init__(self, name: str, values: NDArray[np.float32]) -> None:
        self._values, codes = np.unique(
            np.where(np.isnan(values), np.float32(-1), values), return_inverse=True
        )
        self._codes = codes.astype(np.int32)
        self.splits = [
            (Condition("lt", (name,), limit), Condition("ge", (name,), limit))
            for limit in self._values[1:].tolist()
        ]

    def above(self, slots: NDArray[np.int32], errors: Floats, whole: Floats) -> Floats:
        counts = _by_value(self._codes, len(self._values), slots, errors, whole.shape[1])
        return whole[:, :, None] - counts.cumsum(2)[:, :, :-1]

    def holds(self, split: int, rows: NDArray[np.int64]) -> Bools:
        return self._codes[rows] > split


class _ValueSplits:
    """A field, split between one of its common values and the others."""

    def __init__(self, column: Column, codes: NDArray[np.int16]) -> None:
        self._codes, self._size = codes.astype(np.int32), len(column.values)
        counts = np.bincount(codes, minlength=self._size)
        common = np.argsort(-counts, kind="stable")[: 1 if self._size == 2 else COMMON]
        self._wanted = common[counts[common] > 0]
        name = (column.name,)
        self.splits = [(Condition("not", name, v), Condition("is", name, v)) for v in self._wanted.tolist()]

    def above(self, slots: NDArray[np.int32], errors: Floats, whole: Floats) -> Floats:
        return _by_value(self._codes, self._size, slots, errors, whole.shape[1])[:, :, self._wanted]

    def holds(self, split: int, rows: NDArray[np.int64]) -> Bools:
        same: Bools = self._codes[rows] == self._wanted[split]
        return same


class _ChapterSplits:
    """Diagnosis chapters, split between the cases that have one and those that lack it."""

    def __init__(self, bits: NDArray[np.int64], chapters: int) -> None:
        self._bits = bits
        self._having = [np.flatnonzero((bits >> index) & 1) for index in range(chapters)]
        self.splits = [(Condition("lacks", (), n), Condition("has", (), n)) for n in range(chapters)]

    def above(self, slots: NDArray[np.int32], errors: Floats, whole: Floats) -> Floats:
        nodes = whole.shape[1]
        out = np.empty((2, nodes, len(self._having)))
        for index, rows in enumerate(self._having):
            own = slots[rows] + 1  # 0: in no open node
            out[0, :, index] = np.bincount(own, minlength=nodes + 1)[1:]
            out[1, :, index] = np.bincount(own, errors[rows], minlength=nodes + 1)[1:]
        return out

    def holds(self, split: int, rows: NDArray[np.int64]) -> Bools:
        return (self._bits[rows] >> split) & 1 > 0


def _by_value(
    codes: NDArray[np.int32], size: int, slots: NDArray[np.int32], errors: Floats, nodes: int
) -> Floats:
    """(2, L, K) cases and their error, by node and value."""
    places = (slots + 1) * np.int32(size) + codes
    whole = (nodes + 1) * size
    counts = np.bincount(places, minlength=whole).astype(np.float64)
    return np.stack([counts, np.bincount(places, errors, minlength=whole)]).reshape(2, nodes + 1, size)[:, 1:]


def error_tree(
    frame: Frame,
    error: NDArray[Any],
    within: Bools,
    *,
    depth: int = 3,
    leaf: int | None = None,
    fields: Sequence[str] = FIELDS,
    progress: Callable[[float], object] | None = None,
) -> Tree:
    """Grow the tree.

    Args:
        frame: the N cases.
        error: (N,) 0 to 1; NaN leaves a case out.
        within: (N,) the cases to look at.
        depth: at most `DEEPEST` splits from root to leaf.
        leaf: fewest cases of a leaf; by default `SHARE` of the cases, at least `FEWEST`.
        fields: what it may split, of `FIELDS`; those that these cases do not have are left out.
        progress: called with the share of the work done.

    Raises:
        InputError: a depth out of range, a field that is none of `FIELDS`, or fewer cases than two leaves need.
    """
    if unknown := [name for name in fields if name not in FIELDS]:
        raise InputError(f"A tree cannot split {', '.join(unknown)}: expected some of {', '.join(FIELDS)}.")
    if not 1 <= depth <= DEEPEST:
        raise InputError(f"Depth {depth}: expected 1 to {DEEPEST}.")
    rows = np.flatnonzero(within & ~np.isnan(error))
    fewest = max(FEWEST, round(SHARE * len(rows))) if leaf is None else max(1, leaf)
    if len(rows) < 2 * fewest:
        raise InputError(
            f"{len(rows)} cases are too few for a tree: expected at least {2 * fewest}. Choose more cases."
        )
    grower = _Grower(_features(frame, rows, fields), error[rows].astype(np.float64), fewest, depth)
    grower.grow(progress or (lambda _: None))
    return Tree(tuple(grower.nodes))


class _Grower:
    def __init__(self, features: Sequence[_Feature], errors: Floats, fewest: int, depth: int) -> None:
        self.features, self.errors, self.fewest, self.depth = features, errors, fewest, depth
        self.nodes: list[Node] = []
        self._total = max(float(errors.sum()), 1e-12)
        self._variance = float(errors.var()) * len(errors)

    def grow(self, progress: Callable[[float], object]) -> None:
        """Level by level, each with one look at every feature."""
        rows = np.arange(len(self.errors))
        level = [(self._add(rows, 0, ()), rows)]
        for depth in range(self.depth):
            best = self._splits(level)
            after: list[tuple[int, NDArray[np.int64]]] = []
            for (index, rows), chosen in zip(level, best, strict=True):
                if chosen is not None:
                    after += self._divide(index, rows, *chosen)
            level = after
            progress((depth + 1) / self.depth)

    def _splits(self, level: Sequence[tuple[int, NDArray[np.int64]]]) -> list[tuple[_Feature, int] | None]:
        """The best split of each open node; None where none leaves enough on both sides."""
        slots = np.full(len(self.errors), -1, np.int32)
        for slot, (_, rows) in enumerate(level):
            slots[rows] = slot
        whole = np.array([[len(rows), self.errors[rows].sum()] for _, rows in level]).reshape(-1, 2).T
        best: list[tuple[float, tuple[_Feature, int] | None]] = [(-np.inf, None)] * len(level)
        for feature in self.features:
            if level and feature.splits:
                gains = self._explained(feature.above(slots, self.errors, whole), whole[:, :, None])
                for slot, index in enumerate(gains.argmax(1).tolist()):
                    if gains[slot, index] > best[slot][0] + _EXACT:
                        best[slot] = (float(gains[slot, index]), (feature, index))
        return [chosen for _, chosen in best]

    def _explained(self, above: Floats, whole: Floats) -> Floats:
        """(L, S) what a split adds to the sum of squared means: what it explains, but for a constant of the node."""
        below = whole - above
        enough = (above[0] >= self.fewest) & (below[0] >= self.fewest)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(enough, above[1] ** 2 / above[0] + below[1] ** 2 / below[0], -np.inf)

    def _divide(
        self, index: int, rows: NDArray[np.int64], feature: _Feature, split: int
    ) -> list[tuple[int, NDArray[np.int64]]]:
        """The two children of a node and their cases; nothing where the split is not worth a node."""
        upper = feature.holds(split, rows)
        whole, a, b = self.errors[rows], self.errors[rows[~upper]], self.errors[rows[upper]]
        gain = len(whole) * whole.var() - len(a) * a.var() - len(b) * b.var()
        error = np.sqrt(a.var() / len(a) + b.var() / len(b))
        if gain < LEAST_GAIN * self._variance or abs(a.mean() - b.mean()) < SURE * error + _EXACT:
            return []
        node, (below, above) = self.nodes[index], feature.splits[split]
        children = [
            (self._add(part, node.depth + 1, (*node.conditions, condition)), part)
            for condition, part in ((below, rows[~upper]), (above, rows[upper]))
        ]
        self.nodes[index] = replace(node, split=above, children=(children[0][0], children[1][0]))
        return children

    def _add(self, rows: NDArray[np.int64], depth: int, conditions: tuple[Condition, ...]) -> int:
        own = self.errors[rows]
        index = len(self.nodes)
        coverage = len(rows) / len(self.errors)
        self.nodes.append(
            Node(index, depth, conditions, len(rows), coverage, float(own.mean()),
                 float(own.sum() / self._total), None, None)
        )  # fmt: skip
        return index


def _features(frame: Frame, rows: NDArray[np.int64], fields: Sequence[str]) -> list[_Feature]:
    """Numbers, the common values of each field, and chapters; of splits that explain the same, the first stands."""
    numbers = [_NumberSplits(name, frame.numbers[name][rows]) for name in NUMBERS if name in fields]
    columns = [
        frame.columns[name] for name in (*PROFILE, "truncated") if name in fields and name in frame.columns
    ]
    values = [_ValueSplits(column, column.codes[rows]) for column in columns]
    chapters = [_ChapterSplits(frame.chapter_bits[rows], len(frame.chapters))] if "chapter" in fields else []
    return [*numbers, *values, *chapters]
