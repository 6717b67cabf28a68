"""The best set of medications under a limit on interactions, solved exactly, and what each change costs.

A set is scored by the sum of probability minus cut-off over its classes: without a limit the best set is the
plain one, every class at or above the cut-off. Under a limit it is the solution of an integer program (SciPy's
HiGHS, no gap left). Only classes at or above the cut-off and those that must stay are chosen from: none is added
to thin out an interaction rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np

from leader_core.domain import SEVERITY_RANK, Interaction, Severity
from leader_core.errors import InputError, LeaderError
from leader_core.interactions.pairs import InteractionTable, is_statistical

_THERAPEUTIC_GROUP: Final = 3  # characters of an ATC code: J01, antibacterials for systemic use
_ALTERNATIVES: Final = 3
_TIME_LIMIT_S: Final = 10.0
_TOLERANCE: Final = 1e-9

Pair = tuple[str, str]


class ConflictError(InputError):
    """Requests that no set within the limit fulfils; `pairs` are what stands between the classes that must stay."""

    def __init__(self, message: str, keep: Iterable[str], pairs: Iterable[Interaction]) -> None:
        super().__init__(message)
        self.keep = tuple(sorted(keep))
        self.pairs = tuple(pairs)


@dataclass(frozen=True, slots=True)
class Limit:
    """What the set may not exceed; a limit left at None is not applied.

    Raises:
        InputError: for a number outside its range.
    """

    contraindicated: int | None = 0  # at most so many contraindicated pairs
    major: int | None = None  # at most so many major pairs
    ddi_rate: float | None = None  # statistical pairs as a share of all pairs of the set, at most

    def __post_init__(self) -> None:
        for name, value in self.by_severity():
            if value is not None and value < 0:
                raise InputError(f"At most {value} {name} pairs: expected 0 or more.")
        if self.ddi_rate is not None and not 0 <= self.ddi_rate <= 1:
            raise InputError(f"A DDI rate of at most {self.ddi_rate}: expected a share from 0 to 1.")

    def by_severity(self) -> tuple[tuple[Severity, int | None], ...]:
        """The graded severities that can be limited, with how many pairs are allowed."""
        return ("contraindicated", self.contraindicated), ("major", self.major)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A class of the same therapeutic group that could stand for one left out, within the limit."""

    code: str
    probability: float
    cost: float  # probability given up by the swap; negative would be a gain


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A class of the plain set that the safer set does without."""

    code: str
    probability: float
    cost: float  # score given up: probability minus cut-off
    because: tuple[Interaction, ...]  # with the classes that stay; empty where it was to be avoided
    alternatives: tuple[Alternative, ...]  # most probable first


@dataclass(frozen=True, slots=True)
class SaferSet:
    """The best set under the limit, compared with the plain set."""

    codes: tuple[str, ...]  # most probable first
    plain: tuple[str, ...]
    left_out: tuple[LeftOut, ...]  # most probable first
    added: tuple[str, ...]  # below the cut-off, there because they must stay
    remaining: tuple[Interaction, ...]  # interactions that the limit allows
    score: float
    plain_score: float
    ddi_rate: float
    plain_ddi_rate: float

    @property
    def cost(self) -> float:
        """Score given up for the limit and for what must stay or must not appear."""
        return self.plain_score - self.score


def safer_set(
    probabilities: Mapping[str, float],
    table: InteractionTable,
    threshold: float,
    limit: Limit,
    *,
    keep: Iterable[str] = (),
    avoid: Iterable[str] = (),
) -> SaferSet:
    """The set that scores best within the limit, with what must stay in it and what must not.

    Args:
        probabilities: of every class the model scored, from 0 to 1.
        table: the pairs at the level of these codes.
        threshold: at or above it a class belongs to the plain set.
        limit: what may not be exceeded.
        keep: classes that must stay, whatever their probability.
        avoid: classes that must not appear.

    Raises:
        InputError: for classes without a probability, or the same class pinned and avoided.
        ConflictError: where no set within the limit holds what must stay; carries the pairs that stand against it.
    """
    pinned, avoided = frozenset(keep), frozenset(avoid)
    _check(probabilities, threshold, pinned, avoided)
    plain = _by_probability((c for c, p in probabilities.items() if p >= threshold), probabilities)
    candidates = sorted((set(plain) | pinned) - avoided)
    _check_pinned(table, limit, pinned)
    chosen = _solve(candidates, {c: probabilities[c] - threshold for c in candidates}, table, limit, pinned)
    if chosen is None:
        signals = tuple(i for i in table.among(pinned) if is_statistical(i))
        raise ConflictError(
            f"No set within the limit holds all the classes that must stay: {', '.join(sorted(pinned))}. "
            f"{len(signals)} statistical pairs stand between them. Release one, or raise the DDI rate allowed.",
            pinned,
            signals,
        )
    codes = _by_probability(chosen, probabilities)
    remaining = _RemainingLimit(codes, table, limit)

    def left_out(code: str) -> LeftOut:
        value, against = probabilities[code], remaining.against(code)
        alternatives = _alternatives(code, probabilities, remaining, avoided)
        return LeftOut(code, value, value - threshold, against, alternatives)

    return SaferSet(
        codes=codes,
        plain=plain,
        left_out=tuple(left_out(code) for code in plain if code not in chosen),
        added=tuple(code for code in codes if probabilities[code] < threshold),
        remaining=table.among(codes),
        score=_score(codes, probabilities, threshold),
        plain_score=_score(plain, probabilities, threshold),
        ddi_rate=table.density(codes),
        plain_ddi_rate=table.density(plain),
    )


def _check(
    probabilities: Mapping[str, float], threshold: float, pinned: frozenset[str], avoided: frozenset[str]
) -> None:
    if not 0 <= threshold <= 1:
        raise InputError(f"A cut-off of {threshold}: expected a probability from 0 to 1.")
    strange = sorted(c for c, p in probabilities.items() if not 0 <= p <= 1)
    if strange:
        raise InputError(f"The probability of {strange[0]} is {probabilities[strange[0]]}: expected 0 to 1.")
    if unknown := sorted(pinned - set(probabilities)):
        raise InputError(
            f"{', '.join(unknown)} must stay but has no probability: choose among the scored classes."
        )
    if both := sorted(pinned & avoided):
        raise InputError(f"{', '.join(both)} must both stay and not appear: choose one.")


def _check_pinned(table: InteractionTable, limit: Limit, pinned: frozenset[str]) -> None:
    among = table.among(pinned)
    for severity, most in limit.by_severity():
        pairs = [f"{i.code_a} with {i.code_b}" for i in among if i.severity == severity]
        if most is not None and len(pairs) > most:
            raise ConflictError(
                f"The classes that must stay hold {len(pairs)} {severity} pairs ({', '.join(pairs[:5])}), "
                f"and at most {most} are allowed. Release one of them, or raise the limit.",
                pinned,
                (i for i in among if i.severity == severity),
            )


def _solve(
    candidates: Sequence[str],
    gain: Mapping[str, float],
    table: InteractionTable,
    limit: Limit,
    pinned: frozenset[str],
) -> frozenset[str] | None:
    """The best subset of the candidates, None where none holds all that must stay.

    Classes that stand in no limited pair are free and simply stay.
    """
    bounded = _bounded_pairs(candidates, table, limit)
    tied = {code for pairs, _ in bounded.values() for pair in pairs for code in pair}
    free = {code for code in candidates if code not in tied}
    rest = [code for code in candidates if code in tied]
    if not rest:
        return frozenset(free)
    program = _Program(rest, [gain[code] for code in rest], pinned)
    for name, (pairs, most) in bounded.items():
        if name == "ddi_rate":
            program.limit_rate(pairs, most, others=len(free))
        else:
            program.limit_pairs(pairs, int(most))
    best = program.best()
    return None if best is None else frozenset(free | best)


def _bounded_pairs(
    candidates: Sequence[str], table: InteractionTable, limit: Limit
) -> dict[str, tuple[list[Pair], float]]:
    """The pairs among the candidates that each applied limit counts, and how much of them it allows."""
    among = table.among(candidates)
    counted: dict[str, tuple[float | None, Callable[[Interaction], bool]]] = {
        "contraindicated": (limit.contraindicated, lambda i: i.severity == "contraindicated"),
        "major": (limit.major, lambda i: i.severity == "major"),
        "ddi_rate": (limit.ddi_rate, is_statistical),
    }
    return {
        name: ([(i.code_a, i.code_b) for i in among if counts(i)], most)
        for name, (most, counts) in counted.items()
        if most is not None
    }


class _Program:
    """A 0/1 program over the tied classes: columns are the classes, then the pairs, then the sizes of the set."""

    def __init__(self, codes: Sequence[str], gain: Sequence[float], pinned: frozenset[str]) -> None:
        self._codes = codes
        self._column = {code: i for i, code in enumerate(codes)}
        self._cost = [-g for g in gain]  # the solver minimises
        self._lower = [1.0 if code in pinned else 0.0 for code in codes]
        self._integer = [1] * len(codes)
        self._rows: list[tuple[dict[int, float], float, float]] = []  # coefficients, least, most

    def limit_pairs(self, pairs: Sequence[Pair], most: int) -> None:
        """At most so many of the pairs whole; none at all needs no column of its own."""
        if most == 0:
            for a, b in pairs:
                self._rows.append(({self._column[a]: 1.0, self._column[b]: 1.0}, -np.inf, 1.0))
        elif len(pairs) > most:
            self._rows.append((dict.fromkeys(self._both(pairs), 1.0), -np.inf, float(most)))

    def limit_rate(self, pairs: Sequence[Pair], most: float, others: int) -> None:
        """At most this share of all pairs of the set, which holds `others` classes besides the program's own."""
        if most == 0:
            self.limit_pairs(pairs, 0)
            return
        both = self._both(pairs)
        sizes = range(others, others + len(self._codes) + 1)
        columns = [self._new(integer=True) for _ in sizes]
        self._rows.append((dict.fromkeys(columns, 1.0), 1.0, 1.0))  # the set has one size
        size_of = {column: float(size - others) for column, size in zip(columns, sizes, strict=True)}
        own = dict.fromkeys(range(len(self._codes)), -1.0)
        self._rows.append((own | size_of, 0.0, 0.0))  # which is the number of its classes
        allowed = {column: -most * size * (size - 1) / 2 for column, size in zip(columns, sizes, strict=True)}
        self._rows.append((dict.fromkeys(both, 1.0) | allowed, -np.inf, _TOLERANCE))

    def best(self) -> set[str] | None:
        """The classes of the best set; None where no set keeps all the rows."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        width = len(self._cost)
        row_of = [r for r, (terms, _, _) in enumerate(self._rows) for _ in terms]
        column_of = [column for terms, _, _ in self._rows for column in terms]
        values = [value for terms, _, _ in self._rows for value in terms.values()]
        matrix: Any = csr_array((values, (row_of, column_of)), shape=(len(self._rows), width))
        least, most = [row[1] for row in self._rows], [row[2] for row in self._rows]
        result = milp(
            np.array(self._cost),
            integrality=np.array(self._integer),
            bounds=Bounds(np.array(self._lower), np.ones(width)),
            constraints=[LinearConstraint(matrix, least, most)] if self._rows else (),
            options={"mip_rel_gap": 0.0, "time_limit": _TIME_LIMIT_S},
        )
        if result.status == 2:
            return None
        if result.status != 0:
            raise LeaderError(
                f"No safer set could be computed: {result.message} Raise the limit or the cut-off."
            )
        return {code for code, chosen in zip(self._codes, result.x, strict=False) if chosen > 0.5}

    def _both(self, pairs: Sequence[Pair]) -> list[int]:
        """A column for each pair that is 1 where both classes are chosen."""
        columns = []
        for a, b in pairs:
            column = self._new(integer=False)
            self._rows.append(({self._column[a]: 1.0, self._column[b]: 1.0, column: -1.0}, -np.inf, 1.0))
            columns.append(column)
        return columns

    def _new(self, *, integer: bool) -> int:
        self._cost.append(0.0)
        self._lower.append(0.0)
        self._integer.append(int(integer))
        return len(self._cost) - 1


def _by_probability(codes: Iterable[str], probabilities: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(codes, key=lambda code: (-probabilities[code], code)))


def _score(codes: Iterable[str], probabilities: Mapping[str, float], threshold: float) -> float:
    return float(sum(probabilities[code] - threshold for code in codes))


class _RemainingLimit:
    """What a set leaves of the limit: which further class could join it, and which pairs speak against one."""

    def __init__(self, codes: Sequence[str], table: InteractionTable, limit: Limit) -> None:
        self.codes = codes
        self._table = table
        self._limit = limit
        self._limited: set[str] = {severity for severity, most in limit.by_severity() if most is not None}
        if limit.ddi_rate is not None:
            self._limited.add("unknown")
        self._present = Counter(i.severity for i in table.among(codes))
        self._admitted: dict[str, bool] = {}

    def against(self, code: str) -> tuple[Interaction, ...]:
        """The entries between a class and the set that an applied limit counts, most severe first."""
        entries = (i for other in self.codes for i in self._table.pair(code, other))
        counted = [i for i in entries if i.severity in self._limited]
        return tuple(sorted(counted, key=lambda i: (SEVERITY_RANK[i.severity], i.code_a, i.code_b)))

    def admits(self, code: str) -> bool:
        """Would the set with this class keep the limit?"""
        if code not in self._admitted:
            self._admitted[code] = self._holds(Counter(i.severity for i in self.against(code)))
        return self._admitted[code]

    def _holds(self, added: Mapping[Severity, int]) -> bool:
        for severity, most in self._limit.by_severity():
            more = added.get(severity, 0)
            if most is not None and more and self._present[severity] + more > most:
                return False
        size = len(self.codes) + 1
        if self._limit.ddi_rate is None or size < 2:
            return True
        pairs = self._present["unknown"] + added.get("unknown", 0)
        return pairs <= self._limit.ddi_rate * size * (size - 1) / 2 + _TOLERANCE


def _alternatives(
    code: str, probabilities: Mapping[str, float], remaining: _RemainingLimit, avoided: frozenset[str]
) -> tuple[Alternative, ...]:
    """Classes of the same therapeutic group that the set could take in without breaking the limit."""
    group = code[:_THERAPEUTIC_GROUP]
    taken = {code, *remaining.codes, *avoided}
    others = _by_probability(
        (c for c in probabilities if c.startswith(group) and c not in taken), probabilities
    )
    best = list(islice(filter(remaining.admits, others), _ALTERNATIVES))
    return tuple(Alternative(c, probabilities[c], probabilities[code] - probabilities[c]) for c in best)
