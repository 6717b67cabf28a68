"""A case scored as it is and under each of many changes: exact, because every changed case is read anew.

The scores of all classes are kept, so that any class can be asked about afterwards. Refuses to know how a change is
chosen and shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leader_core.domain import Case, ModelName
from leader_core.errors import InputError
from leader_core.explain.changes import Change, apply, flips, interacting_drugs, removals
from leader_core.explain.items import SENSITIVE_FIELDS, Item
from leader_core.scorer import Floats, Progress

if TYPE_CHECKING:
    from leader_core.engine import Engine


@dataclass(frozen=True, slots=True)
class Moved:
    """What one change does to the whole recommendation."""

    change: Change
    added: tuple[str, ...]  # classes suggested only after the change
    removed: tuple[str, ...]  # classes suggested only before it
    largest: str  # the class whose probability moves most; "" where there is none
    by: float  # how far it moves, with its sign: after minus before


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

    def moved(self, threshold: float | None = None) -> tuple[Moved, ...]:
        """What each change does to the recommendation under a cut-off, by default the model's own."""
        cut = self.threshold if threshold is None else threshold
        chosen, now = self.before >= cut, self.after >= cut
        found = []
        for i, change in enumerate(self.changes):
            shift = self.after[i] - self.before
            most = int(np.abs(shift).argmax()) if len(shift) else -1
            found.append(
                Moved(
                    change,
                    tuple(self.codes[m] for m in np.flatnonzero(now[i] & ~chosen)),
                    tuple(self.codes[m] for m in np.flatnonzero(chosen & ~now[i])),
                    self.codes[most] if most >= 0 else "",
                    float(shift[most]) if most >= 0 else 0.0,
                )
            )
        return tuple(found)


def score_changes(
    engine: Engine,
    case: Case,
    model: ModelName,
    changes: Iterable[Change],
    *,
    each: Progress | None = None,
) -> Outcomes:
    """Score a case and each changed case, all in one batch; inputs that come out the same are scored once.

    Raises:
        NotFoundError: the model is not there.
        InputError: a change that does not fit the case.
    """
    began = time.perf_counter()
    scorer = engine.scorer(model)
    every = tuple(changes)
    scores = scorer.score([case.observed(), *(apply(case, change) for change in every)], each)
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


def leave_one_out(engine: Engine, case: Case, model: ModelName, *, each: Progress | None = None) -> Outcomes:
    """Each code, each visit and each profile field that the model reads left out in turn."""
    fields = engine.scorer(model).profile_read
    return score_changes(engine, case, model, removals(case, fields), each=each)


def flip_profile(
    engine: Engine,
    case: Case,
    model: ModelName = "student",
    *,
    fields: Sequence[str] = SENSITIVE_FIELDS,
    each: Progress | None = None,
) -> Outcomes:
    """Each sensitive profile field that the model reads set to each other value that it learned, in turn."""
    scorer = engine.scorer(model)
    read = [field for field in fields if field in scorer.profile_read]
    values = {field: tuple(scorer.vocabularies.profile[field]) for field in read}
    return score_changes(engine, case, model, flips(case, values, read), each=each)


def add_interacting(
    engine: Engine,
    case: Case,
    model: ModelName,
    among: Iterable[str],
    *,
    most: int = 12,
    each: Progress | None = None,
) -> Outcomes:
    """Drug classes that interact with one of `among` added to the last earlier visit, one at a time, gravest first."""
    vocabulary = engine.scorer(model).vocabularies.medication
    changes = interacting_drugs(case, engine.cohort.interactions, among, vocabulary, most=most)
    return score_changes(engine, case, model, changes, each=each)
