"""Two cases, or two readings of one, against each other: what each has alone, and which scores moved.

Plain values in, plain values out; refuses to know how they are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leader_core import Case, Recommendation


@dataclass(frozen=True, slots=True)
class Sides:
    """Members of two lists, in their order: only in the first, only in the second, in both."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    both: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """One class under both readings; None where that reading does not score it."""

    code: str
    title: str
    first: float | None
    second: float | None
    first_selected: bool
    second_selected: bool

    @property
    def change(self) -> float:
        """Second minus first; 0 where either is missing."""
        return 0.0 if self.first is None or self.second is None else self.second - self.first

    @property
    def crossed(self) -> bool:
        """Whether it is suggested in one reading alone."""
        return self.first_selected != self.second_selected


def sides(first: Iterable[str], second: Iterable[str]) -> Sides:
    """
    >>> sides(["A", "B"], ["B", "C"])
    Sides(first=('A',), second=('C',), both=('B',))
    """
    one, two = list(dict.fromkeys(first)), list(dict.fromkeys(second))
    return Sides(
        tuple(x for x in one if x not in set(two)),
        tuple(x for x in two if x not in set(one)),
        tuple(x for x in one if x in set(two)),
    )


def moves(first: Recommendation, second: Recommendation) -> list[Move]:
    """Every class of either reading: those suggested in one alone first, then by how far the score moved."""
    one = {m.code: m for m in first.medications}
    two = {m.code: m for m in second.medications}
    made = []
    for code in one.keys() | two.keys():
        a, b = one.get(code), two.get(code)
        made.append(
            Move(
                code,
                (a or b).title,  # type: ignore[union-attr]
                None if a is None else a.probability,
                None if b is None else b.probability,
                a is not None and a.selected,
                b is not None and b.selected,
            )
        )
    return sorted(made, key=lambda m: (not m.crossed, -abs(m.change), m.code))


def profile_differences(first: Case, second: Case, fields: Iterable[str]) -> list[str]:
    """The profile fields whose values differ."""
    return [name for name in fields if first.profile[name] != second.profile[name]]
