"""A case scored as it is and under each of many changes, and the fewest removals that take a class over the cut-off.

The scores of all classes are stored, so that any class can be looked at afterwards. The greedy search gives a set that
crosses the cut-off, so its size is an upper bound; that every single removal was tried gives the lower bound.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from leader_core.domain import Case, ModelName
from leader_core.errors import InputError
from leader_core.explain.changes import Change, Item, apply, drop, removals
from leader_core.scorer import Floats, Progress

if TYPE_CHECKING:
    from leader_core.engine import Engine


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """What one change does to the whole recommendation."""

    change: Change
    added: tuple[str, ...]  # classes suggested only after the change
    removed: tuple[str, ...]  # classes suggested only before it
    largest: str  # the class whose probability changes most; "" where there is none
    by: float  # by how much: after minus before


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One model's probabilities of M classes for a case and for each of C changes to it."""

    model: ModelName
    codes: tuple[str, ...]  # (M,)
    threshold: float
    before: Floats  # (M,)
    changes: tuple[Change, ...]
    after: Floats  # (C, M)
    scored: int  # distinct inputs that the model read
    seconds: float

    def column(self, code: str) -> int:
        """Where a class stands.

        Raises:
            InputError: a class that the model does not score.
        """
        try:
            return self.codes.index(code)
        except ValueError:
            raise InputError(
                f"The {self.model} does not score {code!r}: expected one of its classes."
            ) from None

    def effects(self, code: str) -> dict[Item, float]:
        """How much each thing left out had added to the probability of a class: before minus after, in [-1, 1]."""
        column = self.column(code)
        gone = self.before[column] - self.after[:, column]
        return {c.item: float(gone[i]) for i, c in enumerate(self.changes) if c.action == "drop"}

    def change_effects(self) -> tuple[ChangeEffect, ...]:
        """What each change does to the recommendation under the model's cut-off."""
        chosen, now = self.before >= self.threshold, self.after >= self.threshold
        effects = []
        for i, change in enumerate(self.changes):
            shift = self.after[i] - self.before
            most = int(np.abs(shift).argmax()) if len(shift) else -1
            effects.append(
                ChangeEffect(
                    change,
                    tuple(self.codes[m] for m in np.flatnonzero(now[i] & ~chosen)),
                    tuple(self.codes[m] for m in np.flatnonzero(chosen & ~now[i])),
                    self.codes[most] if most >= 0 else "",
                    float(shift[most]) if most >= 0 else 0.0,
                )
            )
        return tuple(effects)


def score_changes(
    engine: Engine,
    case: Case,
    model: ModelName,
    changes: Iterable[Change],
    *,
    on_progress: Progress | None = None,
) -> Outcomes:
    """Score a case and each changed case, all in one batch; inputs that come out the same are scored once.

    Raises:
        NotFoundError: the model is not there.
        InputError: a change that does not fit the case.
    """
    began = time.perf_counter()
    scorer = engine.scorer(model)
    every = tuple(changes)
    scores = scorer.score([case.observed(), *(apply(case, change) for change in every)], on_progress)
    return Outcomes(
        model,
        scorer.medications.codes,
        scorer.threshold,
        scores.probabilities[0],
        every,
        scores.probabilities[1:],
        scores.inputs,
        time.perf_counter() - began,
    )


def leave_one_out(
    engine: Engine, case: Case, model: ModelName, *, on_progress: Progress | None = None
) -> Outcomes:
    """Each code, each visit and each profile field that the model reads left out in turn."""
    fields = engine.scorer(model).profile_read
    return score_changes(engine, case, model, removals(case, fields), on_progress=on_progress)


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
