"""The error tree: which cases a model does worst on, as a small decision tree over what is known of them.

Each node is split where the mean error of its two halves differs most (scikit-learn's regression tree of depth one,
node by node, so that a page can show how far it is). It is a search among many splits: a node says where to look, and
a high rate in a small one may be chance. Refuses to know databases and pages.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.analysis.fields import NUMBERS, PROFILE
from leader_core.analysis.frame import Bools, Frame
from leader_core.analysis.selection import Condition
from leader_core.errors import InputError

DEEPEST: Final = 4
FEWEST: Final = 20
SHARE: Final = 0.01
"""A leaf holds at least this share of the cases, and `FEWEST` of them."""
COMMON: Final = 12
"""Values of a field that a split may name: the most frequent."""
LEAST_GAIN: Final = 0.001
"""A split explains at least this share of the errors' variance."""
SURE: Final = 3.0
"""And its halves differ by more than this many standard errors."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `children` are places in the tree's list: those for which `split` does not hold, then those where it does."""

    place: int
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


@dataclass(frozen=True, slots=True)
class _Features:
    """What may be split: (N, K) small numbers, and the condition that a column's upper half stands for."""

    values: NDArray[np.float32]
    conditions: tuple[Callable[[float], tuple[Condition, Condition]], ...]  # limit -> (below it, at least it)


def error_tree(
    frame: Frame,
    error: NDArray[Any],
    within: Bools,
    *,
    depth: int = 3,
    leaf: int | None = None,
    progress: Callable[[float], object] | None = None,
) -> Tree:
    """Grow the tree.

    Args:
        frame: the N cases.
        error: (N,) 0 to 1; NaN leaves a case out.
        within: (N,) the cases to look at.
        depth: at most `DEEPEST` splits from root to leaf.
        leaf: fewest cases of a leaf; by default `SHARE` of the cases, at least `FEWEST`.
        progress: told the share of the work done.

    Raises:
        InputError: a depth out of range, or fewer cases than two leaves need.
    """
    if not 1 <= depth <= DEEPEST:
        raise InputError(f"Depth {depth}: expected 1 to {DEEPEST}.")
    rows = np.flatnonzero(within & ~np.isnan(error))
    fewest = max(FEWEST, round(SHARE * len(rows))) if leaf is None else max(1, leaf)
    if len(rows) < 2 * fewest:
        raise InputError(
            f"{len(rows)} cases are too few for a tree: expected at least {2 * fewest}. Choose more cases."
        )
    features = _features(frame, rows)
    errors = error[rows].astype(np.float64)
    grower = _Grower(features, errors, fewest, depth)
    grower.grow(progress or (lambda _: None))
    return Tree(tuple(grower.nodes))


class _Grower:
    def __init__(self, features: _Features, errors: NDArray[np.float64], fewest: int, depth: int) -> None:
        self.features, self.errors, self.fewest, self.depth = features, errors, fewest, depth
        self.nodes: list[Node] = []
        self._total = max(float(errors.sum()), 1e-12)
        self._variance = float(errors.var()) * len(errors)

    def grow(self, progress: Callable[[float], object]) -> None:
        """Level by level; the work left halves or so with each."""
        self._add(np.arange(len(self.errors)), 0, ())
        waiting = [(0, 0, np.arange(len(self.errors)))]
        most = 2**self.depth - 1
        done = 0
        while waiting:
            depth, place, rows = heapq.heappop(waiting)
            done += 1
            progress(min(1.0, done / most))
            found = self._split(rows) if depth < self.depth else None
            if found is None:
                continue
            column, limit, upper = found
            below, above = self.features.conditions[column](limit)
            node = self.nodes[place]
            children = []
            for condition, part in ((below, rows[~upper]), (above, rows[upper])):
                child = self._add(part, depth + 1, (*node.conditions, condition))
                children.append(child)
                heapq.heappush(waiting, (depth + 1, child, part))
            self.nodes[place] = _with_children(node, above, (children[0], children[1]))

    def _add(self, rows: NDArray[np.int64], depth: int, conditions: tuple[Condition, ...]) -> int:
        own = self.errors[rows]
        place = len(self.nodes)
        coverage = len(rows) / len(self.errors)
        self.nodes.append(
            Node(place, depth, conditions, len(rows), coverage, float(own.mean()),
                 float(own.sum() / self._total), None, None)
        )  # fmt: skip
        return place

    def _split(self, rows: NDArray[np.int64]) -> tuple[int, float, Bools] | None:
        """Column, limit and (rows,) who is above it; None where no split is worth a node."""
        from sklearn.tree import DecisionTreeRegressor

        if len(rows) < 2 * self.fewest:
            return None
        values, errors = self.features.values[rows], self.errors[rows]
        stump = DecisionTreeRegressor(max_depth=1, min_samples_leaf=self.fewest, random_state=0)
        stump.fit(values, errors)
        if stump.tree_.node_count < 3:
            return None
        column, limit = int(stump.tree_.feature[0]), float(stump.tree_.threshold[0])
        upper = values[:, column] > limit
        a, b = errors[~upper], errors[upper]
        gain = len(errors) * errors.var() - len(a) * a.var() - len(b) * b.var()
        error = np.sqrt(a.var() / len(a) + b.var() / len(b))
        if gain < LEAST_GAIN * self._variance or abs(a.mean() - b.mean()) < SURE * error:
            return None
        return column, limit, upper


def _with_children(node: Node, split: Condition, children: tuple[int, int]) -> Node:
    return Node(
        node.place,
        node.depth,
        node.conditions,
        node.cases,
        node.coverage,
        node.rate,
        node.share,
        split,
        children,
    )


def _features(frame: Frame, rows: NDArray[np.int64]) -> _Features:
    """Numbers as they are (nothing recorded as -1), the common values of each field and each chapter as flags."""
    columns: list[NDArray[Any]] = []
    conditions: list[Callable[[float], tuple[Condition, Condition]]] = []
    for name in NUMBERS:
        values = frame.numbers[name][rows]
        columns.append(np.where(np.isnan(values), np.float32(-1), values))
        conditions.append(_limit(name))
    for name in (*PROFILE, "truncated"):
        if name not in frame.columns:
            continue
        column = frame.columns[name]
        own = column.codes[rows]
        counts = np.bincount(own, minlength=len(column.values))
        common = np.argsort(-counts, kind="stable")[:COMMON]
        wanted = common[:1] if len(column.values) == 2 else common
        for value in wanted[counts[wanted] > 0].tolist():
            columns.append(own == value)
            conditions.append(_flag(Condition("not", (name,), value), Condition("is", (name,), value)))
    bits = frame.chapter_bits[rows]
    for place in range(len(frame.chapters)):
        columns.append((bits >> place) & 1)
        conditions.append(_flag(Condition("lacks", (), place), Condition("has", (), place)))
    values = np.empty((len(rows), len(columns)), np.float32)
    for i, found in enumerate(columns):
        values[:, i] = found
    return _Features(values, tuple(conditions))


def _limit(name: str) -> Callable[[float], tuple[Condition, Condition]]:
    """A limit between two numbers becomes the whole number above it."""

    def made(limit: float) -> tuple[Condition, Condition]:
        start = float(np.floor(limit) + 1)
        return Condition("lt", (name,), start), Condition("ge", (name,), start)

    return made


def _flag(no: Condition, yes: Condition) -> Callable[[float], tuple[Condition, Condition]]:
    return lambda _: (no, yes)
