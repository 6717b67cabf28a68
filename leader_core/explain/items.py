"""What a model's answer can be traced back to: one name for each thing that either model reads of a case.

Refuses to know models and scores. Teacher and student are explained in the same items, so that both stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from leader_core.domain import KINDS, PROFILE_FIELDS, UNKNOWN, Case, Kind, Visit

Part = Literal["code", "visit", "profile", "wording"]

SENSITIVE_FIELDS: Final[tuple[str, ...]] = (
    "insurance",
    "language",
    "religion",
    "marital_status",
    "ethnicity",
    "gender",
    "age_band",
)
"""Profile fields whose influence a person may want to question."""


@dataclass(frozen=True, slots=True)
class Item:
    """A code of one visit, a whole visit, a profile field, or wording of the prompt that stands for no code."""

    part: Part
    visit: int | None = None  # place in (*case.history, case.current); None outside of visits
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
        code_item(place, kind, code)
        for place, visit in enumerate(visits_of(case))
        for kind in KINDS
        for code in dict.fromkeys(visit.codes(kind))
    )


def visit_items(case: Case) -> tuple[Item, ...]:
    """Every visit that holds a code."""
    return tuple(visit_item(place) for place in sorted({item.visit or 0 for item in code_items(case)}))


def profile_items(case: Case, fields: Iterable[str] = PROFILE_FIELDS) -> tuple[Item, ...]:
    """Every one of `fields` that the case records."""
    return tuple(profile_item(field) for field in fields if case.profile[field] != UNKNOWN)


def inside(item: Item, whole: Item) -> bool:
    """Whether leaving `whole` out leaves `item` out too."""
    return item == whole or (whole.part == "visit" and item.part == "code" and item.visit == whole.visit)
