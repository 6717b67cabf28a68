"""What differs between two cases, and between a model's scores of two cases or two prompts."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from dashboard.shared.formatting import MISSING, count, signed
from dashboard.shared.templates import render
from leader_core import KINDS, Case, Recommendation
from leader_core.domain import Kind

NOTICEABLE: Final = 0.05
"""The least change of a score that is worth a line."""
_MOST_RESCORED: Final = 6


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """One class in two recommendations; a score is None where that recommendation does not score the class."""

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
    def one_sided(self) -> bool:
        """Whether only one of the two recommendations suggests it."""
        return self.first_selected != self.second_selected

    @property
    def signed(self) -> str:
        """The change with its sign; a dash where one side has no score."""
        if self.first is None or self.second is None:
            return MISSING
        return signed(self.change)


@dataclass(frozen=True, slots=True)
class SuggestionChanges:
    """What a second recommendation of the same model suggests that the first did not, no longer suggests, or rescores."""

    added: tuple[ScoreChange, ...]
    removed: tuple[ScoreChange, ...]
    rescored: tuple[ScoreChange, ...]  # neither, and changed by NOTICEABLE or more; the largest first

    @property
    def empty(self) -> bool:
        return not (self.added or self.removed or self.rescored)


def code_changes(before: Case, after: Case) -> tuple[list[tuple[Kind, str]], list[tuple[Kind, str]]]:
    """(kind, code) that the second case has more of, and fewer of; order and visits do not count."""
    old, new = Counter(before.codes()), Counter(after.codes())

    def in_order(codes: Iterable[tuple[Kind, str]]) -> list[tuple[Kind, str]]:
        return sorted(codes, key=lambda item: (KINDS.index(item[0]), item[1]))

    return in_order(new - old), in_order(old - new)


def profile_changes(before: Case, after: Case, fields: Iterable[str]) -> list[tuple[str, str, str]]:
    """(field, before, after) of the profile fields whose values differ."""
    pairs = ((name, before.profile[name], after.profile[name]) for name in fields)
    return [(name, old, new) for name, old, new in pairs if old != new]


def compare_scores(first: Recommendation, second: Recommendation) -> list[ScoreChange]:
    """Every class of either: those that only one suggests first, then by how far the score changes."""
    one = {m.code: m for m in first.medications}
    two = {m.code: m for m in second.medications}
    changes = []
    for code, known in {**one, **two}.items():
        a, b = one.get(code), two.get(code)
        title = a.title if a is not None else known.title
        changes.append(
            ScoreChange(
                code,
                title,
                None if a is None else a.probability,
                None if b is None else b.probability,
                a is not None and a.selected,
                b is not None and b.selected,
            )
        )
    return sorted(changes, key=lambda c: (not c.one_sided, -abs(c.change), c.code))


def compare_suggestions(before: Recommendation, after: Recommendation) -> SuggestionChanges:
    """What changed from one recommendation to another of the same model, among the classes that both score."""
    changes = [c for c in compare_scores(before, after) if c.first is not None and c.second is not None]
    best_first = sorted(changes, key=lambda c: -(c.second or 0.0))
    rescored = [c for c in changes if not c.one_sided and abs(c.change) >= NOTICEABLE]
    return SuggestionChanges(
        added=tuple(c for c in best_first if c.second_selected and not c.first_selected),
        removed=tuple(c for c in best_first if c.first_selected and not c.second_selected),
        rescored=tuple(rescored[:_MOST_RESCORED]),
    )


def show_scores(
    changes: Sequence[ScoreChange],
    model: str,
    names: tuple[str, str],
    caption: str,
    *,
    most: int,
    prescribed: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> None:
    """One row per class with a bar for each side, those beyond `most` folded.

    `names` are those of the two sides; `prescribed` marks the classes ordered in each side's visit.
    """
    table = functools.partial(
        render, "scores/score_changes.html", model=model, names=names, prescribed=prescribed, caption=caption
    )
    st.html(table(changes=changes[:most]))
    if rest := changes[most:]:
        with st.expander(f"{count(len(rest), 'more class', 'more classes')}"):
            st.html(table(changes=rest))
