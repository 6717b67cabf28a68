"""How far two annotators agree beyond chance: Cohen's kappa, kind by kind, over the cases that both have looked at.

Refuses to know what the kinds mean and where the answers are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two annotators on one kind."""

    kind: str
    cases: int  # that both have looked at
    both: int
    first_only: int
    second_only: int
    neither: int
    kappa: float | None  # None where chance alone would agree always: nobody, or everybody, always saw it

    @property
    def observed(self) -> float:
        """Share of cases on which they agree; 0 without a case."""
        return (self.both + self.neither) / self.cases if self.cases else 0.0


def agreement(
    first: Mapping[int, Collection[str]], second: Mapping[int, Collection[str]], kinds: Iterable[str]
) -> tuple[Agreement, ...]:
    """Kappa of each kind.

    kappa = (observed - expected) / (1 - expected), where expected is the agreement of two who answer independently as
    often as these two (J. Cohen, 1960).

    Args:
        first: case -> the kinds that the first annotator saw in it; an empty collection is an answer.
        second: the same of the second.
        kinds: the kinds to compare.
    """
    shared = sorted(set(first) & set(second))
    return tuple(
        _one(kind, [(kind in first[case], kind in second[case]) for case in shared]) for kind in kinds
    )


def _one(kind: str, answers: list[tuple[bool, bool]]) -> Agreement:
    count = len(answers)
    both, first, second = (answers.count(pair) for pair in ((True, True), (True, False), (False, True)))
    neither = count - both - first - second
    kappa = None
    if count:
        a, b = (both + first) / count, (both + second) / count
        expected = a * b + (1 - a) * (1 - b)
        if expected < 1:
            kappa = ((both + neither) / count - expected) / (1 - expected)
    return Agreement(kind, count, both, first, second, neither, kappa)
