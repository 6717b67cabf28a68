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
from leader_core.explain.changes import (
    SENSITIVE_FIELDS,
    Change,
    Item,
    apply,
    drop,
    flips,
    interacting_drugs,
    removals,
)
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

    def change_effects(self, threshold: float | None = None) -> tuple[ChangeEffect, ...]:
        """What each change does to the recommendation under a cut-off, by default the model's own."""
        threshold = self.threshold if threshold is None else threshold
        chosen, now = self.before >= threshold, self.after >= threshold
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


def flip_profile(
    engine: Engine,
    case: Case,
    model: ModelName = "student",
    *,
    fields: Sequence[str] = SENSITIVE_FIELDS,
    on_progress: Progress | None = None,
) -> Outcomes:
    """Each sensitive profile field that the model reads set to each other value that it learned, in turn."""
    scorer = engine.scorer(model)
    read = [field for field in fields if field in scorer.profile_read]
    values = {field: tuple(scorer.vocabularies.profile[field]) for field in read}
    return score_changes(engine, case, model, flips(case, values, read), on_progress=on_progress)


def add_interacting(
    engine: Engine,
    case: Case,
    model: ModelName,
    among: Iterable[str],
    *,
    most: int = 12,
    on_progress: Progress | None = None,
) -> Outcomes:
    """Drug classes that interact with one of `among` added to the last earlier visit, one at a time, most severe first."""
    vocabulary = engine.scorer(model).vocabularies.medication
    changes = interacting_drugs(case, engine.cohort.interactions, among, vocabulary, most=most)
    return score_changes(engine, case, model, changes, on_progress=on_progress)


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
    at_least: (
        int  # no smaller set than this can do it: 1, or 2 where every single removal was tried and none did
    )
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
    removals_scored = (
        leave_one_out(engine, case, model, on_progress=on_progress) if outcomes is None else outcomes
    )
    column = removals_scored.column(code)
    threshold = removals_scored.threshold if threshold is None else threshold
    before = float(removals_scored.before[column])
    down = before >= threshold  # the score has to fall
    singles = {
        item: before - effect
        for item, effect in removals_scored.effects(code).items()
        if item.part != "visit"
    }
    ranked = sorted(singles, key=lambda item: singles[item] if down else -singles[item])
    search = _Search(engine, case, model, column, threshold, down, on_progress)
    if not ranked:
        return Flip(model, code, threshold, before, before, (), False, 1, 0)
    chosen, after = [ranked[0]], singles[ranked[0]]
    if search.crossed(after):
        return Flip(model, code, threshold, before, after, tuple(chosen), True, 1, 0)
    while len(chosen) < min(most, len(ranked)):
        pool = [item for item in ranked if item not in chosen][:POOL]
        scores = search.without([[*chosen, item] for item in pool])
        best = int(scores.argmin() if down else scores.argmax())
        chosen.append(pool[best])
        after = float(scores[best])
        if search.crossed(after):
            chosen, after = search.pruned(chosen, after)
            return Flip(model, code, threshold, before, after, tuple(chosen), True, 2, search.scored)
    return Flip(model, code, threshold, before, after, tuple(chosen), False, 2, search.scored)


class _Search:
    """Scores of one class with sets left out, and on which side of the cut-off they fall."""

    def __init__(
        self,
        engine: Engine,
        case: Case,
        model: ModelName,
        column: int,
        threshold: float,
        down: bool,
        on_progress: Progress | None,
    ) -> None:
        self._scorer = engine.scorer(model)
        self._case = case
        self._column = column
        self._threshold = threshold
        self._down = down
        self._on_progress = on_progress
        self.scored = 0

    def without(self, sets: Sequence[Sequence[Item]]) -> np.ndarray:
        """(S,) the probability with each set left out."""
        cases = [apply(self._case, *map(drop, items)) for items in sets]
        scores = self._scorer.score(cases, self._on_progress)
        self.scored += scores.inputs
        return scores.probabilities[:, self._column]

    def crossed(self, probability: float) -> bool:
        return (probability < self._threshold) == self._down

    def pruned(self, chosen: list[Item], after: float) -> tuple[list[Item], float]:
        """Undo, one by one, the removals that are not needed."""
        while len(chosen) > 2:
            smaller = [[item for item in chosen if item != spare] for spare in chosen]
            scores = self.without(smaller)
            enough = [i for i in range(len(smaller)) if self.crossed(float(scores[i]))]
            if not enough:
                break
            best = min(enough, key=lambda i: float(scores[i]) if self._down else -float(scores[i]))
            chosen, after = smaller[best], float(scores[best])
        return chosen, after
