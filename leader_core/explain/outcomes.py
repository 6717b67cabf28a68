"""A case scored as it is and under each of many changes; of all classes, so that any can be looked at afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leader_core.domain import Case, ModelName
from leader_core.errors import InputError
from leader_core.explain.changes import Change, Item, apply, removals
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
