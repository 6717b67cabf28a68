"""Which medication an order is: drug text and route to ATC codes, or the reason why it is no drug of its own.

Tables and texts belong to `drug_table` and `drug_names`, routes to `routes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from leader_core.errors import InputError
from leader_core.terminology.drug_names import Method, Reading, read_drug
from leader_core.terminology.drug_table import Ingredient
from leader_core.terminology.routes import RouteGroup, effective_group, route_group

AtcLevel = Literal[3, 4, 5]
ATC_LENGTH: Final[dict[int, int]] = {3: 4, 4: 5, 5: 7}
"""Characters of an ATC code at each level that a cohort may have."""

DILUENT: Final = "diluent"
FLUSH: Final = "flush"
ADDITIVE: Final = "additive"
DEVICE: Final = "device"
STUDY: Final = "study drug"
CANCELLED: Final = "cancelled order"
SET_ASIDE_REASONS: Final = (DILUENT, FLUSH, ADDITIVE, DEVICE, STUDY, CANCELLED)
"""Why an order is no drug of its own."""

_LOCKS: Final = frozenset(("heparin", "sodium citrate"))
"""Left in a catheter these keep it open; they do not treat the patient."""


def atc_length(level: int) -> int:
    """Characters of a code at a level.

    Raises:
        InputError: a level other than 3, 4 or 5.
    """
    if level not in ATC_LENGTH:
        raise InputError(f"ATC level {level!r}: expected 3, 4 or 5.")
    return ATC_LENGTH[level]


@dataclass(frozen=True, slots=True)
class DrugMatch:
    """One medication of an order."""

    code: str  # at the chosen level; level 4 stands at level 5 where ATC has no level 5
    ingredient: str
    method: Method = "name"
    group: RouteGroup | None = None  # the route group it was looked up by


def map_drug(drug: str, route: str = "", level: int = 3) -> tuple[DrugMatch, ...]:
    """The medications of an order, in order of their codes; empty where none is recognised.

    A missing or unknown route means the drug's commonest one.

    >>> [m.code for m in map_drug("Vancomycin HCl", "IV", 5)]
    ['J01XA01']
    >>> [m.code for m in map_drug("Vancomycin Oral Liquid", "PO", 3)]
    ['A07A']

    Raises:
        InputError: a level other than 3, 4 or 5.
    """
    length = atc_length(level)
    reading = _read(drug)
    if any(other.always for other in reading.others):
        return ()
    group = effective_group(route_group(route), reading.words)
    by_code: dict[str, DrugMatch] = {}
    for ingredient in reading.ingredients:
        code = ingredient.code(group)
        if code is not None and not _is_carrier(ingredient, group):
            match = DrugMatch(code[:length], ingredient.name, reading.method, group)
            by_code.setdefault(match.code, match)
    return tuple(by_code[code] for code in sorted(by_code))


def set_aside(drug: str, route: str = "", drug_type: str = "") -> str | None:
    """Why an order is no drug of its own (one of `SET_ASIDE_REASONS`); None for a drug, known or not.

    >>> set_aside("NS (Mini Bag Plus)", "IV", "BASE")
    'diluent'
    """
    reading = _read(drug)
    kind = drug_type.strip().upper()
    if kind == "CANCELLED":
        return CANCELLED
    always = next((other.reason for other in reading.others if other.always), None)
    if always is not None:
        return always
    if route_group(route) == "catheter" and any(i.name in _LOCKS for i in reading.ingredients):
        return FLUSH
    if kind == "ADDITIVE":
        return ADDITIVE
    named = not reading.ingredients and not reading.unread
    reasons = [other.reason for other in reading.others]
    if kind == "BASE":
        return DEVICE if named and set(reasons) == {DEVICE} else DILUENT
    if reasons and named:
        return DILUENT if DILUENT in reasons else reasons[0]
    group = effective_group(route_group(route), reading.words)
    if reading.ingredients and all(_is_carrier(i, group) for i in reading.ingredients):
        return DILUENT
    return None


def map_order(
    drug: str | None, route: str | None, drug_type: str | None, level: int = 3
) -> tuple[str | None, tuple[DrugMatch, ...]]:
    """Of one (drug, route, drug type) why it is set aside, or its medications; neither where nobody knows it."""
    name, way = drug or "", route or ""
    reason = set_aside(name, way, drug_type or "")
    return reason, map_drug(name, way, level) if reason is None else ()


@lru_cache(maxsize=65_536)
def _read(drug: str) -> Reading:
    return read_drug(drug)


def _is_carrier(ingredient: Ingredient, group: RouteGroup | None) -> bool:
    """Plain sodium chloride is a drug as a tablet or a nose spray, and a carrier anywhere else."""
    return ingredient.name == "sodium chloride" and group not in ("oral", "nasal", "sublingual")
