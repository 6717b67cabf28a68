"""The smallest set of things to leave out so that a class crosses the cut-off, by greedy search.

Greedy gives a set that does it, so its size is an upper bound; that every single removal was tried gives the lower
bound. Refuses to know how removals are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from leader_core.domain import Case, ModelName
from leader_core.explain.changes import apply, drop
from leader_core.explain.items import Item
from leader_core.explain.outcomes import Outcomes, leave_one_out
from leader_core.scorer import Progress

if TYPE_CHECKING:
    from leader_core.engine import Engine

MOST: Final = 6  # things left out at once
POOL: Final = (
    24  # things tried in each round after the first, those that move the score furthest by themselves
)


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
    at_least: (
        int  # no smaller set than this can do it: 1, or 2 where every single removal was tried and none did
    )
    scored: int  # cases read in the search, those of the single removals left aside

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
    most: int = MOST,
    each: Progress | None = None,
) -> Flip:
    """Search for the smallest set of codes and profile fields to leave out; whole visits are not counted as one thing.

    Each round adds the removal that moves the score furthest towards the cut-off; at the end whatever turns out not
    to be needed is put back. A set of one is the smallest there is, and so is a set of two.

    Args:
        outcomes: those of `leave_one_out` for this case and model, where they are at hand.
        threshold: another cut-off than the model's own.

    Raises:
        InputError: a class that the model does not score.
    """
    found = leave_one_out(engine, case, model, each=each) if outcomes is None else outcomes
    column = found.column(code)
    cut = found.threshold if threshold is None else threshold
    before = float(found.before[column])
    down = before >= cut  # the way to go
    singles = {item: before - effect for item, effect in found.effects(code).items() if item.part != "visit"}
    ranked = sorted(singles, key=lambda item: singles[item] if down else -singles[item])
    search = _Search(engine, case, model, column, cut, down, each)
    if not ranked:
        return Flip(model, code, cut, before, before, (), False, 1, 0)
    chosen, after = [ranked[0]], singles[ranked[0]]
    if search.crossed(after):
        return Flip(model, code, cut, before, after, tuple(chosen), True, 1, 0)
    while len(chosen) < min(most, len(ranked)):
        pool = [item for item in ranked if item not in chosen][:POOL]
        scores = search.without([[*chosen, item] for item in pool])
        best = int(scores.argmin() if down else scores.argmax())
        chosen.append(pool[best])
        after = float(scores[best])
        if search.crossed(after):
            chosen, after = search.pruned(chosen, after)
            return Flip(model, code, cut, before, after, tuple(chosen), True, 2, search.scored)
    return Flip(model, code, cut, before, after, tuple(chosen), False, 2, search.scored)


class _Search:
    """Scores of one class with sets left out, and on which side of the cut-off they fall."""

    def __init__(
        self,
        engine: Engine,
        case: Case,
        model: ModelName,
        column: int,
        cut: float,
        down: bool,
        each: Progress | None,
    ) -> None:
        self._scorer = engine.scorer(model)
        self._case = case
        self._column = column
        self._cut = cut
        self._down = down
        self._each = each
        self.scored = 0

    def without(self, sets: Sequence[Sequence[Item]]) -> np.ndarray:
        """(S,) the probability with each set left out."""
        cases = [apply(self._case, *map(drop, items)) for items in sets]
        scores = self._scorer.score(cases, self._each)
        self.scored += scores.inputs
        return scores.probabilities[:, self._column]

    def crossed(self, probability: float) -> bool:
        return (probability < self._cut) == self._down

    def pruned(self, chosen: list[Item], after: float) -> tuple[list[Item], float]:
        """Put back, one by one, what is not needed."""
        while len(chosen) > 2:
            smaller = [[item for item in chosen if item != each] for each in chosen]
            scores = self.without(smaller)
            enough = [i for i in range(len(smaller)) if self.crossed(float(scores[i]))]
            if not enough:
                break
            best = min(enough, key=lambda i: float(scores[i]) if self._down else -float(scores[i]))
            chosen, after = smaller[best], float(scores[best])
        return chosen, after
