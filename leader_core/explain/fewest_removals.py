"""The fewest removals that take a class over the cut-off, by a greedy search.

The set that it finds crosses the cut-off, so its size is an upper bound; that every single removal was tried gives the
lower bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from leader_core.domain import Case, ModelName
from leader_core.explain.changes import Item, Outcomes, Progress, apply, drop, leave_one_out

if TYPE_CHECKING:
    from leader_core.engine import Engine

MAX_REMOVALS: Final = 6  # things left out at once
POOL: Final = 24  # things tried in each round after the first, those that change the score most by themselves


@dataclass(frozen=True, slots=True)
class Flip:
    """Codes and profile fields whose removal together takes a class to the other side of the cut-off."""

    model: ModelName
    code: str
    threshold: float
    before: float  # probability of the case as it is
    after: float  # without `removed`
    removed: tuple[Item, ...]  # in the order they were chosen
    flipped: bool  # False: `removed` is as far as the search went, and it does not do it
    at_least: int  # no smaller set can do it: 1, or 2 where every single removal was tried and none did
    scored: int  # cases read in the search, without those of the single removals

    @property
    def exact(self) -> bool:
        """Whether this is known to be the smallest set."""
        return self.flipped and len(self.removed) == self.at_least


def smallest_flip(
    engine: Engine,
    case: Case,
    model: ModelName,
    code: str,
    *,
    outcomes: Outcomes | None = None,
    threshold: float | None = None,
    most: int = MAX_REMOVALS,
    on_progress: Progress | None = None,
) -> Flip:
    """Search for the smallest set of codes and profile fields to leave out; whole visits are not counted as one thing.

    Each round adds the removal that brings the score closest to the cut-off; at the end, removals that turn out not
    to be needed are undone. A set of one is the smallest there is, and so is a set of two.

    Args:
        outcomes: those of `leave_one_out` for this case and model, where they are available.
        threshold: another cut-off than the model's own.

    Raises:
        InputError: a class that the model does not score.
    """
    if outcomes is None:
        outcomes = leave_one_out(engine, case, model, on_progress=on_progress)
    scorer, column = engine.scorer(model), outcomes.column(code)
    threshold = outcomes.threshold if threshold is None else threshold
    before = float(outcomes.before[column])
    down = before >= threshold  # the score has to fall
    single = {
        item: before - effect for item, effect in outcomes.effects(code).items() if item.part != "visit"
    }
    ranked = sorted(single, key=lambda item: single[item] if down else -single[item])
    scored = 0

    def crossed(probability: float) -> bool:
        return (probability < threshold) == down

    def without(sets: Sequence[Sequence[Item]]) -> tuple[int, np.ndarray]:
        """Which of S sets left out comes furthest, and the probabilities (S,) with each left out."""
        nonlocal scored
        scores = scorer.score([apply(case, *map(drop, items)) for items in sets], on_progress)
        scored += scores.inputs
        own = scores.probabilities[:, column]
        return int(own.argmin() if down else own.argmax()), own

    chosen, after = ranked[:1], single[ranked[0]] if ranked else before
    while ranked and not crossed(after) and len(chosen) < min(most, len(ranked)):
        pool = [item for item in ranked if item not in chosen][:POOL]
        best, own = without([[*chosen, item] for item in pool])
        chosen, after = [*chosen, pool[best]], float(own[best])
    flipped = bool(ranked) and crossed(after)
    while flipped and len(chosen) > 2:  # what turns out not to be needed is put back, one by one
        smaller = [[item for item in chosen if item != spare] for spare in chosen]
        best, own = without(smaller)
        if not crossed(float(own[best])):
            break
        chosen, after = smaller[best], float(own[best])
    at_least = 1 if not ranked or (flipped and len(chosen) == 1) else 2
    return Flip(model, code, threshold, before, after, tuple(chosen), flipped, at_least, scored)
