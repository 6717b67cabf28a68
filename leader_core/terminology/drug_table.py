"""The table of ingredients and of what is no drug, as `assets/terminology/` holds it, read once.

Reading an order's text is the work of `drug_names`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from leader_core.errors import ArtifactError
from leader_core.terminology import table_rows
from leader_core.terminology.routes import NEIGHBOURS, PARENTERAL, ROUTE_GROUPS, RouteGroup

JOINER: Final = " + "
"""Between the parts of a combination's name."""

_CODE: Final = re.compile(r"[A-Z][0-9]{2}[A-Z]{2}(?:[0-9]{2})?")
_TOKEN: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+|[a-z]+")
_SPELLINGS: Final = {
    "aluminium": "aluminum",
    "chl": "chloride",
    "cl": "chloride",
    "dext": "dextrose",
    "mag": "magnesium",
    "pot": "potassium",
    "sod": "sodium",
    "sulf": "sulfate",
    "sulphate": "sulfate",
    "vit": "vitamin",
    "vits": "vitamins",
}
"""Short and British forms, wherever they stand."""
_LONE: Final = frozenset(
    "alcohol calcium copper dextrose glucose glycerin iodine iron lanolin magnesium menthol opium oxygen phenol "
    "potassium sorbitol urea vitamins water zinc".split()
)
_SHORT: Final = 3
_PLAIN_SHORT: Final = ("kcl",)  # itself wherever it stands: 'KCl in dextrose-NaCl' is potassium


def tokens(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers of a text; the one notation that names and orders are compared in.

    >>> tokens("HYDROmorphone (Dilaudid) 0.50%"), tokens("Vitamin B-12")
    (('hydromorphone', 'dilaudid', '0.5'), ('vitamin', 'b', '12'))
    """
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    raw = _TOKEN.findall(text.casefold().replace("'", "").replace("\u2019", ""))
    return tuple(_plain(token) if "." in token else _SPELLINGS.get(token, token) for token in raw)


def _plain(number: str) -> str:
    whole, _, fraction = number.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole or '0'}.{fraction}" if fraction else whole or "0"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A drug or a fixed combination, with its ATC code for each route group.

    `codes` maps a group to a code, and None to the code of every other group; an ingredient without any code
    only counts as part of one.
    """

    name: str
    parts: frozenset[str]
    codes: Mapping[RouteGroup | None, str]
    default: str | None  # the code for the commonest route
    synonyms: tuple[str, ...] = ()

    def code(self, group: RouteGroup | None) -> str | None:
        """The deepest ATC code for a route group: level 5, or level 4 where ATC has no level 5."""
        if group is None:
            return self.default
        for candidate in (group, *NEIGHBOURS.get(group, ())):
            if candidate in self.codes:
                return self.codes[candidate]
        return self.codes.get(None, self.default)


@dataclass(frozen=True, slots=True)
class NotADrug:
    """Something that stands among prescriptions and is no drug of its own."""

    name: str
    reason: str
    always: bool  # also where the text names a drug: a heparin flush is a flush


Entry = Ingredient | NotADrug


@dataclass(frozen=True, slots=True)
class DrugTable:
    """All entries, and every phrase (as tokens) that names one."""

    ingredients: Mapping[str, Ingredient]
    combinations: Mapping[frozenset[str], Ingredient]
    phrases: Mapping[tuple[str, ...], Entry]
    starts: Mapping[str, tuple[int, ...]]  # first token -> lengths of its phrases, longest first


def is_lone(phrase: tuple[str, ...]) -> bool:
    """A name that counts only where no other drug is named: minerals in salts, and short abbreviations."""
    if len(phrase) > 1 or phrase[0] in _PLAIN_SHORT:
        return False
    return phrase[0] in _LONE or len(phrase[0]) <= _SHORT


@cache
def drug_table() -> DrugTable:
    """The table, parsed once a process.

    Raises:
        ArtifactError: a row that contradicts another or breaks the file's own rules, naming it.
    """
    ingredients = _ingredients()
    phrases: dict[tuple[str, ...], Entry] = {}
    for ingredient in ingredients.values():
        for name in (ingredient.name, *ingredient.synonyms) if ingredient.codes else ingredient.synonyms:
            _name(phrases, tokens(name), ingredient)
    for ingredient in ingredients.values():
        phrases.setdefault(tokens(ingredient.name), ingredient)  # a part of combinations alone
    for thing, names in _not_drugs():
        for name in (thing.name, *names):
            _name(phrases, tokens(name), thing)
    starts: dict[str, set[int]] = {}
    for phrase in phrases:
        starts.setdefault(phrase[0], set()).add(len(phrase))
    return DrugTable(
        ingredients=ingredients,
        combinations={i.parts: i for i in ingredients.values() if len(i.parts) > 1 and i.default is not None},
        phrases=phrases,
        starts={first: tuple(sorted(lengths, reverse=True)) for first, lengths in starts.items()},
    )


@cache
def shortest_names() -> Mapping[str, str]:
    """ATC code of level 5 (4 where there is none) -> the shortest name of its drugs."""
    names: dict[str, str] = {}
    for drug in sorted(drug_table().ingredients.values(), key=lambda each: (len(each.name), each.name)):
        for code in drug.codes.values():
            names.setdefault(code, drug.name)
    return names


def _name(phrases: dict[tuple[str, ...], Entry], phrase: tuple[str, ...], entry: Entry) -> None:
    if not phrase:
        raise ArtifactError(f"The drug table has an empty name for {entry.name!r}.")
    other = phrases.setdefault(phrase, entry)
    if other is not entry:
        raise ArtifactError(
            f"The drug table gives {' '.join(phrase)!r} to both {other.name!r} and {entry.name!r}: keep one."
        )


def _ingredients() -> dict[str, Ingredient]:
    codes: dict[str, dict[RouteGroup | None, str]] = {}
    synonyms: dict[str, tuple[str, ...]] = {}
    for row in table_rows("drugs.csv"):
        name = row["ingredient"]
        table = codes.setdefault(name, {})
        synonyms[name] = synonyms.get(name, ()) + tuple(filter(None, row["synonyms"].split("|")))
        if not row["atc"]:
            continue
        if not _CODE.fullmatch(row["atc"]):
            raise ArtifactError(
                f"drugs.csv: {name!r} has {row['atc']!r}: expected an ATC code of level 4 or 5."
            )
        for group in _groups(name, row["routes"]):
            if group in table:
                raise ArtifactError(f"drugs.csv: {name!r} has two codes for {group or 'any route'}.")
            table[group] = row["atc"]
    for part in {part for name in codes for part in name.split(JOINER)}:
        codes.setdefault(part, {})
    return {
        name: Ingredient(
            name=name,
            parts=frozenset(name.split(JOINER)),
            codes=table,
            default=next(iter(table.values()), None),
            synonyms=synonyms.get(name, ()),
        )
        for name, table in codes.items()
    }


def _groups(name: str, routes: str) -> Iterator[RouteGroup | None]:
    if not routes:
        yield None
    for word in routes.split():
        groups = PARENTERAL if word == "parenteral" else tuple(g for g in ROUTE_GROUPS if g == word)
        if not groups:
            raise ArtifactError(
                f"drugs.csv: {name!r} has the route {word!r}: expected {', '.join(ROUTE_GROUPS)}."
            )
        yield from groups


def _not_drugs() -> Iterator[tuple[NotADrug, tuple[str, ...]]]:
    for row in table_rows("not_drugs.csv"):
        thing = NotADrug(name=row["name"], reason=row["reason"], always=row["always"] == "yes")
        yield thing, tuple(filter(None, row["synonyms"].split("|")))
