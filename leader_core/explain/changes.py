"""The items that a model's answer can be traced back to, changes to a case, and its scores under many of them.

Teacher and student are explained in the same items. A changed case is a case like any other: it is rendered and encoded
again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from leader_core.domain import (
    KINDS,
    PLURALS,
    PROFILE_FIELDS,
    SEVERITY_RANK,
    UNKNOWN,
    Case,
    Kind,
    ModelName,
    Visit,
)
from leader_core.errors import InputError
from leader_core.interactions import InteractionTable
from leader_core.scorer import Floats, Progress

if TYPE_CHECKING:
    from leader_core.engine import Engine

Part = Literal["code", "visit", "profile", "wording"]


@dataclass(frozen=True, slots=True)
class Item:
    """A code of one visit, a whole visit, a profile field, or wording of the prompt that stands for no code."""

    part: Part
    visit: int | None = None  # index in (*case.history, case.current); None outside of visits
    kind: Kind | None = None  # of a code
    name: str = ""  # the code, the profile field, or the kind of prompt section that the wording stands in


def code_item(visit: int, kind: Kind, code: str) -> Item:
    """A diagnosis, procedure or medication of one visit."""
    return Item("code", visit, kind, code)


def visit_item(visit: int) -> Item:
    """A whole visit; of the current one, its diagnoses and procedures."""
    return Item("visit", visit)


def profile_item(field: str) -> Item:
    """A profile field."""
    return Item("profile", name=field)


def wording_item(section: str, visit: int | None = None) -> Item:
    """The prompt's own words in a section; for the teacher only."""
    return Item("wording", visit, name=section)


def visits_of(case: Case) -> tuple[Visit, ...]:
    """All visits, oldest first, as items count them; the current one without what was prescribed in it."""
    return (*case.history, case.observed().current)


def code_items(case: Case) -> tuple[Item, ...]:
    """Every code a model may read, once a visit, in the case's order."""
    return tuple(
        code_item(index, kind, code)
        for index, visit in enumerate(visits_of(case))
        for kind in KINDS
        for code in dict.fromkeys(visit.codes(kind))
    )


def visit_items(case: Case) -> tuple[Item, ...]:
    """Every visit that holds a code."""
    return tuple(visit_item(index) for index in sorted({item.visit or 0 for item in code_items(case)}))


def profile_items(case: Case, fields: Iterable[str] = PROFILE_FIELDS) -> tuple[Item, ...]:
    """Every one of `fields` that the case records."""
    return tuple(profile_item(field) for field in fields if case.profile[field] != UNKNOWN)


MOST: Final = 12
"""Interacting drugs that are tried."""

Action = Literal["drop", "set", "add"]


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a case: `item` is left out, set to `value` (a profile field), or added (a code)."""

    action: Action
    item: Item
    value: str = ""


def drop(item: Item) -> Change:
    """Leave something out."""
    return Change("drop", item)


def apply(case: Case, *changes: Change) -> Case:
    """The case with the changes made.

    A code is left out of its visit, wherever it stands there. A profile field that is left out is not recorded. An
    earlier visit that is left out is gone as if it had never been: later visits are numbered down. Of the current
    visit, its diagnoses and procedures are left out.

    Raises:
        InputError: a change of something that the case does not have, or that cannot be changed that way.
    """
    visits: list[Visit | None] = list(visits_of(case))
    profile = dict(case.profile)
    for change in changes:
        item = change.item
        if item.part == "profile" and item.name in profile and change.action != "add":
            profile[item.name] = (change.value or UNKNOWN) if change.action == "set" else UNKNOWN
            continue
        visit = visits[item.visit] if item.visit is not None and item.visit < len(visits) else None
        if change.action == "drop" and item.part == "visit" and item.visit is not None:
            current = item.visit == len(visits) - 1
            visits[item.visit] = (
                replace(case.current, diagnoses=(), procedures=(), medications=()) if current else None
            )
        elif change.action == "drop" and item.part == "code" and visit is None:
            continue  # its visit went before it
        elif change.action in ("drop", "add") and item.kind is not None and visit is not None:
            visits[item.visit or 0] = _changed(visit, item.kind, item.name, change.action)
        else:
            raise InputError(
                f"{change}: expected a code or visit to drop, a code to add, or a profile field to set."
            )
    *history, last = _renumbered(visits)
    return replace(case, profile=profile, history=tuple(history), current=last)


def _changed(visit: Visit, kind: Kind, code: str, action: Action) -> Visit:
    codes = visit.codes(kind)
    after = (*codes, code) if action == "add" and code not in codes else codes
    if action == "drop":
        after = tuple(each for each in codes if each != code)
    changed: dict[str, Any] = {PLURALS[kind]: after}
    return replace(visit, **changed)


def _renumbered(visits: Sequence[Visit | None]) -> tuple[Visit, ...]:
    """The visits that are left, numbered down by those that went before them."""
    left: list[Visit] = []
    for index, visit in enumerate(visits):
        if visit is not None:
            gone = index - len(left)
            left.append(replace(visit, visit_no=visit.visit_no - gone) if gone and visit.visit_no else visit)
    return tuple(left)


def removals(case: Case, fields: Iterable[str] = ()) -> tuple[Change, ...]:
    """Each code, each visit and each recorded one of the profile `fields` left out in turn."""
    return tuple(drop(item) for item in (*code_items(case), *visit_items(case), *profile_items(case, fields)))


def without_each_diagnosis(case: Case) -> tuple[Change, ...]:
    """Each diagnosis of the current visit left out in turn."""
    last = len(case.history)
    return tuple(drop(item) for item in code_items(case) if item.visit == last and item.kind == "diagnosis")


def flips(case: Case, values: Mapping[str, Iterable[str]]) -> tuple[Change, ...]:
    """Each profile field of `values` that the case records, set to each other value in turn."""
    return tuple(
        Change("set", profile_item(field), value)
        for field, others in values.items()
        if case.profile[field] != UNKNOWN
        for value in others
        if value not in (case.profile[field], UNKNOWN)
    )


def interacting_drugs(
    case: Case, table: InteractionTable, among: Iterable[str], vocabulary: Iterable[str]
) -> tuple[Change, ...]:
    """Drug classes added to the last earlier visit that interact with a class of `among`, most severe first.

    Only graded pairs count. Nothing for a first visit: what a patient took before has no place in it.
    """
    if not case.history:
        return ()
    index = len(case.history) - 1
    known, chosen = set(case.history[index].medications), list(dict.fromkeys(among))
    ranked = []
    for code in vocabulary:
        ranks = [
            SEVERITY_RANK[entry.severity]
            for other in chosen
            if other != code
            for entry in table.pair(code, other)
            if entry.severity != "unknown"
        ]
        if ranks and code not in known:
            ranked.append((min(ranks), -len(ranks), code))
    return tuple(Change("add", code_item(index, "medication", code)) for _, _, code in sorted(ranked)[:MOST])


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
