"""ATC codes: their levels and our plain-word titles, unambiguous where the index uses one name for several classes.

Titles of classes stand in `assets/terminology/atc_classes.csv`, those of ingredients in the drug table.
Refuses to know how an order becomes a code, which `drugs` owns.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Final

from leader_core.errors import InputError

LENGTHS: Final[dict[int, int]] = {1: 1, 2: 3, 3: 4, 4: 5, 5: 7}
"""Characters of a code by its level."""

_SHAPE: Final = re.compile(r"[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?")
_CLASSES: Final = Path(__file__).parents[2] / "assets" / "terminology" / "atc_classes.csv"


def atc_title(code: str) -> str | None:
    """A title in plain words, sentence case; None for a code outside our tables.

    >>> atc_title("H02A"), atc_title("B01AC06"), atc_title("Z99")
    ('Corticosteroids for systemic use', 'Aspirin', None)
    """
    return _classes().get(code) if len(code) < LENGTHS[5] else _ingredients().get(code)


def atc_level(code: str, level: int) -> str:
    """The code's class at a level; a code that is already coarser stays as it is.

    >>> atc_level("B01AC06", 3), atc_level("B05ZB", 5)
    ('B01A', 'B05ZB')

    Raises:
        InputError: no ATC code, or a level other than 1 to 5.
    """
    if level not in LENGTHS:
        raise InputError(f"ATC level {level!r}: expected 1 to 5.")
    if not _SHAPE.fullmatch(code):
        raise InputError(f"{code!r} is no ATC code: expected one like B01AC06 or B01A, in capitals.")
    return code[: LENGTHS[level]]


def level_of(code: str) -> int | None:
    """The level that a code's shape says, 1 to 5; None for what is no ATC code.

    >>> level_of("B01A"), level_of("ICD9:4280")
    (3, None)
    """
    if not _SHAPE.fullmatch(code):
        return None
    return next(level for level, length in LENGTHS.items() if length == len(code))


def all_atc_titles() -> dict[str, str]:
    """Every code with a title, levels 1 to 5."""
    return {**_classes(), **_ingredients()}


@cache
def _classes() -> dict[str, str]:
    with _CLASSES.open(encoding="utf-8", newline="") as stream:
        return {row["code"]: row["title"] for row in csv.DictReader(stream)}


@cache
def _ingredients() -> dict[str, str]:
    """Titles at level 5: the ingredient's name as American hospitals write it."""
    from leader_core.terminology.drug_table import JOINER, drug_table

    titles: dict[str, str] = {}
    for ingredient in sorted(drug_table().ingredients.values(), key=lambda i: len(i.parts)):
        *others, last = ingredient.name.split(JOINER)
        name = f"{', '.join(others)} and {last}" if others else last
        for code in ingredient.codes.values():
            titles.setdefault(code, name[:1].upper() + name[1:])
    return {code: title for code, title in titles.items() if len(code) == LENGTHS[5]}
