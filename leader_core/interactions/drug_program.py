"""Which drug each class is given by, or none: the integer program behind the safer set, over plain numbers.

A slot is one medication of the set, its options the drugs that could fill it; the first is its own drug. An alert
fires where a pair of chosen options (or one option) is among its triggers, and a limit says how many alerts of a
severity may fire. Solved exactly by SciPy's HiGHS, one tier after the other, so that no weight has to be tuned:

1. the fewest alerts beyond the limit (more than none only where required slots leave no other way), those of the
   most severe kind first;
2. the least loss: the sum of `loss` over the slots left empty;
3. the fewest slots of `called_for` left empty;
4. the fewest slots with a loss left empty, then the fewest changes to what a condition speaks against (`against`);
5. the fewest substitutes, then the fewest switches, then the fewest serious alerts of pairs that they bring in (`added`);
6. the fewest slots without a loss left empty, then the most used drugs (`use`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from leader_core.errors import LeaderError

OWN: Final = 0
SWITCH: Final = 1
SUBSTITUTE: Final = 2
"""How far an option is from the slot's own drug."""

_SCALE: Final = 1000.0  # of losses and uses: the solver's absolute gap of 1e-6 is far below any difference
_TOLERANCE: Final = 1e-6
_TIME_LIMIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ProgramOption:
    """One drug that could fill a slot."""

    slot: int
    change: int  # OWN, SWITCH or SUBSTITUTE
    against: int = 0  # serious alerts it has with the patient's conditions; of an own drug none are counted
    added: int = 0  # and with the own drugs of the other slots
    use: float = 1.0  # how much it is used, from 0 to 1; from 1 to 2 where it is curated


@dataclass(frozen=True, slots=True)
class ProgramAlert:
    """An alert of a severity, and what makes it fire: pairs of options, or one option twice."""

    severity: int  # position in `Problem.limits`, the most severe first
    triggers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most a share of all pairs among the groups that the chosen options stand for may be listed ones."""

    group: tuple[int, ...]  # of each option
    pairs: tuple[tuple[int, int], ...]  # listed pairs of groups
    most: float


@dataclass(frozen=True, slots=True)
class Problem:
    """Slots, options, alerts and limits."""

    options: tuple[ProgramOption, ...]  # by slot; the first of each slot is its own drug
    loss: tuple[float, ...]  # by slot, of leaving it empty
    alerts: tuple[ProgramAlert, ...] = ()
    limits: tuple[int | None, ...] = ()  # by severity; None is not limited
    exclusive: tuple[tuple[int, int], ...] = ()  # options that never stand together
    required: tuple[frozenset[int], ...] = ()  # of each group of options one must be chosen
    called_for: frozenset[int] = frozenset()  # slots that are filled rather than others, losses being equal
    rate: RateLimit | None = None

    @property
    def slots(self) -> tuple[tuple[int, ...], ...]:
        """The options of each slot."""
        members: list[list[int]] = [[] for _ in self.loss]
        for index, option in enumerate(self.options):
            members[option.slot].append(index)
        return tuple(map(tuple, members))

    @property
    def required_slots(self) -> frozenset[int]:
        """Slots of which something may have to be chosen."""
        return frozenset(self.options[i].slot for group in self.required for i in group)

    def among(self, usable: frozenset[int]) -> Problem:
        """The same problem with what concerns these options only; options keep their positions."""
        triggers = ((a, tuple(t for t in a.triggers if usable.issuperset(t))) for a in self.alerts)
        return replace(
            self,
            alerts=tuple(replace(alert, triggers=inside) for alert, inside in triggers if inside),
            exclusive=tuple(pair for pair in self.exclusive if usable.issuperset(pair)),
            required=tuple(group & usable for group in self.required),
        )


@dataclass(frozen=True, slots=True)
class Solution:
    """The options chosen, and by how many alerts of each severity the limit had to be exceeded."""

    chosen: frozenset[int]
    excess: tuple[int, ...]


def solve(problem: Problem) -> Solution | None:
    """The best choice; None where the rate limit leaves none that holds what is required."""
    excess = least_excess(problem)
    if not problem.options:
        return Solution(frozenset(), excess)
    usable = frozenset(range(len(problem.options))) if problem.rate is not None else _needed(problem)
    options, loss = {i: problem.options[i] for i in usable}, problem.loss
    changes = [option for option in options.values() if option.change != OWN]
    most = len({option.slot for option in changes})  # slots that can change
    # Whole numbers allow for two or three tiers in one: the next one's sum never makes up for one of the last.
    against = 1 + most * max((option.against for option in changes), default=0)
    worth = [(slot in problem.called_for) * (len(loss) + 1) + (each > 0) for slot, each in enumerate(loss)]
    added = 1 + most * max((option.added for option in changes), default=0)
    change = {OWN: 0, SWITCH: added, SUBSTITUTE: added * (most + 1)}
    fill = 1 + 2 * len(loss)
    tiers: tuple[dict[int, float], ...] = (
        {i: _SCALE * loss[o.slot] for i, o in options.items()},
        {i: float(against * worth[o.slot] - o.against) for i, o in options.items()},
        {i: -float(change[o.change] + o.added) for i, o in options.items()},
        {i: _SCALE * (o.use + fill * (loss[o.slot] == 0)) for i, o in options.items()},
    )
    chosen = _Model(problem.among(usable), usable, excess).maximise(tiers)
    return None if chosen is None else Solution(chosen, excess)


def least_excess(problem: Problem) -> tuple[int, ...]:
    """By how many alerts of each severity the limit must be exceeded to hold what is required: the fewest.

    Everything that is not required can be left out, so only required slots have a say.
    """
    slots = problem.required_slots
    usable = frozenset(i for i, option in enumerate(problem.options) if option.slot in slots)
    inner = replace(problem.among(usable), rate=None)
    if not any(problem.limits[alert.severity] is not None for alert in inner.alerts):
        return (0,) * len(problem.limits)
    chosen = _Model(inner, usable, None).least_excess()
    fired = Counter(alert.severity for alert in inner.alerts if fires(alert, chosen))
    return tuple(
        0 if most is None else max(0, fired[severity] - most) for severity, most in enumerate(problem.limits)
    )


def fires(alert: ProgramAlert, chosen: frozenset[int]) -> bool:
    """Is one of its triggers among the chosen options?"""
    return any(a in chosen and b in chosen for a, b in alert.triggers)


# --- what need not be asked of the solver

_Touch = tuple[int, int, int, int]
"""Severity (-1: exclusive), the other option (-1: none), the alert where it may fire elsewhere too (else -1), and
which of several this is."""


def _needed(problem: Problem) -> frozenset[int]:
    """The options that a best choice may need. Not needed are others than the own drug of a slot that no alert
    touches, and options to which another one of the slot is preferable in every respect.

    Measured at 150 classes and a limit on major alerts: 0.2 to 0.5 s without either, under 0.15 s with both.
    """
    alive = set(range(len(problem.options)))
    slots, touching = problem.slots, _touching(problem)
    open_slots = set(range(len(slots)))
    while settled := {s for s in open_slots if not _partners(touching[slots[s][0]], alive)}:
        open_slots -= settled
        alive.difference_update(i for s in settled for i in slots[s][1:])
    preference = [(o.against, o.change, o.added, -o.use) for o in problem.options]
    serving = [{n for n, group in enumerate(problem.required) if i in group} for i in range(len(touching))]
    for s in open_slots:
        best_first = sorted(slots[s], key=preference.__getitem__)
        for place, index in enumerate(best_first):
            against = _partners(touching[index], alive)
            if any(
                better in alive
                and serving[index] <= serving[better]
                and _partners(touching[better], alive) <= against
                for better in best_first[:place]
            ):
                alive.discard(index)
    return frozenset(alive)


def _touching(problem: Problem) -> list[set[_Touch]]:
    """What each option may set off under a limit."""
    touching: list[set[_Touch]] = [set() for _ in problem.options]
    seen: Counter[tuple[int, int, int]] = Counter()

    def touch(index: int, severity: int, other: int, alert: int) -> None:
        seen[index, severity, other] += 1
        touching[index].add((severity, other, alert, seen[index, severity, other] if alert < 0 else 0))

    for number, alert in enumerate(problem.alerts):
        if problem.limits[alert.severity] is None:
            continue
        elsewhere = number if len(_places(problem, alert)) > 1 else -1
        for a, b in alert.triggers:
            touch(a, alert.severity, -1 if a == b else b, elsewhere)
            if a != b:
                touch(b, alert.severity, a, elsewhere)
    for a, b in problem.exclusive:
        touching[a].add((-1, b, -1, 0))
        touching[b].add((-1, a, -1, 0))
    return touching


def _partners(touching: set[_Touch], alive: set[int]) -> set[_Touch]:
    return {touch for touch in touching if touch[1] == -1 or touch[1] in alive}


def _places(problem: Problem, alert: ProgramAlert) -> set[tuple[int, int]]:
    """The slots that its triggers lie on, the smaller one first."""
    slots = ((problem.options[a].slot, problem.options[b].slot) for a, b in alert.triggers)
    return {(min(pair), max(pair)) for pair in slots}


# --- the program


@dataclass(slots=True)
class _Rows:
    """Columns and constraint rows of a program, in the form that SciPy takes.

    Every column is an integer, though some would be one by their rows alone: where some are continuous, HiGHS solves
    again after rounding, and writes a line about it to the standard output that no option turns off.
    """

    upper: list[float] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def column(self, upper: float = 1.0) -> int:
        self.upper.append(upper)
        return len(self.upper) - 1

    def most(self, terms: Mapping[int, float], most: float) -> None:
        self.rows.append((dict(terms), -np.inf, most))

    def between(self, terms: Mapping[int, float], least: float, most: float) -> None:
        self.rows.append((dict(terms), least, most))

    def minimise(self, objective: Mapping[int, float]) -> Any:
        """The solution (one value a column), or None where the rows contradict each other."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        cost = np.zeros(len(self.upper))
        cost[list(objective)] = list(objective.values())
        row_of = [r for r, (terms, _, _) in enumerate(self.rows) for _ in terms]
        column_of = [column for terms, _, _ in self.rows for column in terms]
        values = [value for terms, _, _ in self.rows for value in terms.values()]
        matrix: Any = csr_array((values, (row_of, column_of)), shape=(len(self.rows), len(self.upper)))
        least, most = [row[1] for row in self.rows], [row[2] for row in self.rows]
        result = milp(
            cost,
            integrality=np.ones(len(self.upper)),
            bounds=Bounds(0.0, np.array(self.upper)),
            constraints=[LinearConstraint(matrix, least, most)] if self.rows else (),
            options={"mip_rel_gap": 0.0, "time_limit": _TIME_LIMIT_S, "presolve": False},
        )
        if result.status == 2:
            return None
        if result.status != 0:
            raise LeaderError(
                f"No safer set could be computed: {result.message} Raise the limit or the cut-off."
            )
        return result.x


class _Model:
    """The rows of a problem over the usable options. `excess` None leaves the limits open, for `least_excess`."""

    def __init__(self, problem: Problem, usable: frozenset[int], excess: Sequence[int] | None) -> None:
        self._problem = problem
        self._rows = _Rows()
        self._column = {index: self._rows.column() for index in sorted(usable)}
        self._over: dict[int, int] = {}
        by_slot: dict[int, list[int]] = defaultdict(list)
        for index, column in self._column.items():
            by_slot[problem.options[index].slot].append(column)
        for columns in by_slot.values():
            if len(columns) > 1:
                self._rows.most(dict.fromkeys(columns, 1.0), 1.0)
        for group in problem.required:
            self._rows.between({self._column[i]: 1.0 for i in group}, 1.0, np.inf)
        self._forbid(problem.exclusive)
        for severity, most in enumerate(problem.limits):
            if most is not None:
                self._limit(severity, most, None if excess is None else excess[severity])
        if problem.rate is not None:
            self._limit_rate(problem.rate)

    def maximise(self, tiers: Iterable[Mapping[int, float]]) -> frozenset[int] | None:
        """The options of the choice that has the greatest sum by the first tier, among those by the second, and so on."""
        chosen: frozenset[int] | None = None
        for tier in tiers:
            cost = {self._column[i]: -value for i, value in tier.items() if value and i in self._column}
            if not cost and chosen is not None:
                continue
            values = self._rows.minimise(cost)
            if values is None:
                return None
            chosen = frozenset(i for i, column in self._column.items() if values[column] > 0.5)
            reached = sum(cost.get(self._column[i], 0.0) for i in chosen)
            self._rows.most(cost, reached + _TOLERANCE)
        return chosen

    def least_excess(self) -> frozenset[int]:
        """Options that hold what is required with the fewest alerts beyond the limits, the most severe counted first."""
        heavier = len(self._problem.alerts) + 1
        last = max(self._over)
        cost = {column: float(heavier ** (last - severity)) for severity, column in self._over.items()}
        values = self._rows.minimise(cost)
        if values is None:
            raise LeaderError("No safer set could be computed: what is required contradicts itself.")
        return frozenset(i for i, column in self._column.items() if values[column] > 0.5)

    def _limit(self, severity: int, most: int, excess: int | None) -> None:
        alerts = [alert for alert in self._problem.alerts if alert.severity == severity]
        if excess is None:
            self._over[severity] = over = self._rows.column(upper=np.inf)
            self._rows.most(self._count(alerts) | {over: -1.0}, float(most))
        elif most == 0:
            # What goes beyond the limit does so among required slots: every other alert is out of the question.
            slots = self._problem.required_slots if excess else frozenset[int]()
            inside = frozenset(i for i in self._column if self._problem.options[i].slot in slots)
            counted = [a for a in alerts if any(inside.issuperset(t) for t in a.triggers)]
            self._forbid(t for alert in alerts if alert not in counted for t in alert.triggers)
            self._rows.most(self._count(counted), float(excess))
        else:
            self._rows.most(self._count(alerts), float(most + excess))

    def _forbid(self, pairs: Iterable[tuple[int, int]]) -> None:
        """None of these pairs together. One row an option and slot: of a slot at most one option is chosen."""
        partners: dict[tuple[int, int], set[int]] = defaultdict(set)
        for a, b in pairs:
            partners[a, self._problem.options[b].slot].add(b)
            partners[b, self._problem.options[a].slot].add(a)
        for (index, _), others in partners.items():
            if index in others:
                self._rows.most({self._column[index]: 1.0}, 0.0)
            else:
                self._rows.most({self._column[i]: 1.0 for i in (index, *others)}, 1.0)

    def _count(self, alerts: Iterable[ProgramAlert]) -> dict[int, float]:
        """Terms whose sum is at least the number of alerts that fire."""
        terms: Counter[int] = Counter()
        # Of two slots one pair of options is chosen: a column counts all alerts between them, another one those
        # that the same pair triggers a second time.
        between: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
        seen: Counter[tuple[int, int]] = Counter()
        for alert in alerts:
            (low, high), *more = _places(self._problem, alert)
            if more:
                self._fire(alert.triggers, terms)
                continue
            for a, b in alert.triggers:
                pair = (min(a, b), max(a, b))
                if a == b:
                    terms[self._column[a]] += 1
                else:
                    seen[pair] += 1
                    between[low, high, seen[pair]].append(pair)
        for triggers in between.values():
            self._fire(triggers, terms)
        return {column: float(value) for column, value in terms.items()}

    def _fire(self, triggers: Iterable[tuple[int, int]], terms: Counter[int]) -> None:
        """A column that is 1 where a trigger is chosen."""
        fired = self._rows.column()
        terms[fired] += 1
        for a, b in triggers:
            both = dict.fromkeys((self._column[a], self._column[b]), 1.0)
            self._rows.most(both | {fired: -1.0}, len(both) - 1.0)

    def _limit_rate(self, rate: RateLimit) -> None:
        """A column for each group present, one for each listed pair, and one for each size that the set may have."""
        members: dict[int, list[int]] = defaultdict(list)
        for index, column in self._column.items():
            members[rate.group[index]].append(column)
        present = {group: self._rows.column() for group in members}
        for group, columns in members.items():
            for column in columns:
                self._rows.most({column: 1.0, present[group]: -1.0}, 0.0)
            self._rows.most({present[group]: 1.0} | dict.fromkeys(columns, -1.0), 0.0)
        listed = []
        for a, b in rate.pairs:
            if a in present and b in present:
                listed.append(self._rows.column())
                self._rows.most({present[a]: 1.0, present[b]: 1.0, listed[-1]: -1.0}, 1.0)
        sizes = {self._rows.column(): float(n) for n in range(len(present) + 1)}
        self._rows.between(dict.fromkeys(sizes, 1.0), 1.0, 1.0)
        self._rows.between(dict.fromkeys(present.values(), -1.0) | sizes, 0.0, 0.0)
        allowed = {column: -rate.most * n * (n - 1) / 2 for column, n in sizes.items()}
        self._rows.most(dict.fromkeys(listed, 1.0) | allowed, _TOLERANCE)
