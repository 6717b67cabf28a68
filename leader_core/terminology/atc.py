"""ATC codes: their levels and our plain-word titles, unambiguous where the index uses one name for several classes.

Titles of classes stand in `assets/terminology/atc_classes.csv`, those of ingredients in the drug table.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Final

from leader_core.terminology import table_rows
from leader_core.terminology.drug_table import JOINER

LENGTHS: Final[dict[int, int]] = {1: 1, 2: 3, 3: 4, 4: 5, 5: 7}
"""Characters of a code by its level."""

_SHAPE: Final = re.compile(r"[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?")
_WAYS: Final = {
    "oral": "by mouth",
    "sublingual": "under the tongue",
    "oromucosal": "in the mouth",
    "parenteral": "injected",
    "iv": "injected",
    "injection": "injected",
    "neuraxial": "spinal",
    "inhaled": "inhaled",
    "nasal": "for the nose",
    "ophthalmic": "for the eye",
    "otic": "for the ear",
    "topical": "on the skin",
    "transdermal": "patch",
    "rectal": "rectal",
    "vaginal": "vaginal",
    "irrigation": "for irrigation",
    "catheter": "in a catheter",
    "dialysis": "in dialysis",
}
_RARE: Final = frozenset(("irrigation", "catheter", "dialysis"))
"""Ways that are not said where there are others."""
_INJECTED: Final = frozenset(("parenteral", "iv", "injection"))


def atc_title(code: str) -> str | None:
    """A title in plain words, sentence case; None for a code outside our tables.

    >>> atc_title("H02A"), atc_title("B01AC06"), atc_title("Z99")
    ('Corticosteroids for systemic use', 'Aspirin', None)
    """
    return (_classes() if len(code) < LENGTHS[5] else _ingredients()).get(code)


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
    return {row["code"]: row["title"] for row in table_rows("atc_classes.csv")}


@cache
def _ingredients() -> dict[str, str]:
    """Titles at level 5: the ingredient as American hospitals write it, with the route where it has several codes."""
    rows = [row for row in table_rows("drugs.csv") if len(row["atc"]) == LENGTHS[5]]
    rows.sort(key=lambda row: (row["index_name"] != "", row["ingredient"].count(JOINER)))  # exact names first
    named: dict[str, dict[str, str]] = {}
    for row in rows:
        named.setdefault(row["atc"], row)
    names = Counter(row["ingredient"] for row in named.values())
    titles = {
        code: _title(row["ingredient"], row["routes"].split() if names[row["ingredient"]] > 1 else [])
        for code, row in named.items()
    }
    return titles | {code: title for code, title in _classes().items() if len(code) == LENGTHS[5]}


def _title(ingredient: str, routes: list[str]) -> str:
    """The ingredient, and how it is given; what is given by mouth and injected is simply the drug."""
    *others, last = ingredient.split(JOINER)
    name = f"{', '.join(others)} and {last}" if others else last
    first = routes[:2]
    common = [route for route in first if route not in _RARE] or first
    if "oral" in common and not _INJECTED.isdisjoint(common):
        common = []
    ways = " or ".join(dict.fromkeys(_WAYS[route] for route in common))
    return f"{name[:1].upper()}{name[1:]}{', ' if ways else ''}{ways}"
