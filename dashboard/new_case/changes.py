"""What changed between two cases and between their scores: codes, suggestions, and scores that moved.

Plain values in, plain values out; refuses to know how they are drawn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from leader_core import KINDS, Case, Recommendation

NOTICEABLE: Final = 0.05
"""A score moves where it changes by at least this much."""
MOST_MOVED: Final = 6


@dataclass(frozen=True, slots=True)
class Moved:
    """One class whose score changed."""

    code: str
    title: str
    before: float
    after: float

    @property
    def by(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Difference:
    """One model's answer against its answer to the case before."""

    added: tuple[Moved, ...]  # suggested now and not before
    removed: tuple[Moved, ...]  # suggested before and not now
    moved: tuple[Moved, ...]  # neither, and changed by NOTICEABLE or more; the most first

    @property
    def empty(self) -> bool:
        return not (self.added or self.removed or self.moved)


def between(before: Recommendation, after: Recommendation) -> Difference:
    """What changed from one recommendation to another of the same model."""
    earlier = {m.code: m for m in before.medications}
    pairs = [(earlier[m.code], m) for m in after.medications if m.code in earlier]
    changed = [
        (old.selected, new.selected, Moved(new.code, new.title, old.probability, new.probability))
        for old, new in pairs
    ]
    moved = [m for was, now, m in changed if was == now and abs(m.by) >= NOTICEABLE]
    return Difference(
        added=tuple(m for was, now, m in changed if now and not was),
        removed=tuple(m for was, now, m in changed if was and not now),
        moved=tuple(sorted(moved, key=lambda m: -abs(m.by))[:MOST_MOVED]),
    )


def codes(before: Case, after: Case) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(kind, code) that the second case has more of, and fewer of; order and visits do not count."""
    old, new = Counter(before.codes()), Counter(after.codes())
    order = {kind: position for position, kind in enumerate(KINDS)}

    def listed(found: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
        return sorted(found, key=lambda item: (order[item[0]], item[1]))  # type: ignore[index]

    return listed(new - old), listed(old - new)  # type: ignore[arg-type]


def fields(before: Case, after: Case) -> list[tuple[str, str, str]]:
    """(field, before, after) of the profile fields that differ."""
    return [
        (n, before.profile[n], after.profile[n])
        for n in after.profile
        if before.profile[n] != after.profile[n]
    ]
