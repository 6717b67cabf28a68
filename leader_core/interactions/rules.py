"""The clinical rules as they were written: two sides with the drugs that carry the interaction, and what to do.

Refuses to know of a cohort's ATC level; `clinical` projects rules to it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, cast

from leader_core.domain import SEVERITIES, Severity
from leader_core.errors import InputError

ASSETS: Final = Path(__file__).resolve().parents[2] / "assets" / "interactions"
RULES: Final = ASSETS / "clinical.csv"
FREQUENCIES: Final = ASSETS / "frequency.csv"
COMBINATIONS: Final = ASSETS / "combinations.csv"

GRADED: Final[tuple[Severity, ...]] = SEVERITIES[:-1]
KINDS_OF_MECHANISM: Final = ("pharmacokinetic", "pharmacodynamic", "both")
EVIDENCE: Final = ("established", "probable", "theoretical")

Frequency = Literal["uncommon", "rare"]
"""How little of a class's use in hospital a drug makes up: a tenth or less, a hundredth or less."""

_INGREDIENT: Final = 7  # characters of an ATC code of level 5
_ATC: Final = re.compile(r"[A-Z]\d{2}[A-Z](?:[A-Z](?:\d{2})?)?")
_AGENT: Final = re.compile(r"(?P<name>.+?)\s+(?P<codes>[A-Z]\d{2}[A-Z]{2}\d{2}(?: [A-Z]\d{2}[A-Z]{2}\d{2})*)")


@dataclass(frozen=True, slots=True)
class Agent:
    """An ingredient as hospitals call it, with its ATC level-5 codes (one for each way it is given, alone or combined)."""

    name: str
    codes: tuple[str, ...]

    def speaking(self, length: int) -> tuple[str, ...]:
        """The drug's codes that may speak for codes of so many characters: rare combinations speak for no class."""
        if length == _INGREDIENT:
            return self.codes
        return tuple(own for own in self.codes if own not in rare_combinations())


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a rule."""

    label: str  # "ACE inhibitors", "warfarin"
    codes: tuple[str, ...]  # ATC codes of level 3 to 5 that the rule was written for
    carriers: tuple[Agent, ...]  # the drugs that carry it; never empty
    spared: tuple[Agent, ...]  # related drugs that do not

    def carriers_within(self, code: str) -> tuple[Agent, ...]:
        """The carriers that fall under an ATC code of any level."""
        return tuple(
            agent for agent in self.carriers if any(c.startswith(code) for c in agent.speaking(len(code)))
        )

    def spared_within(self, code: str) -> tuple[Agent, ...]:
        """The spared drugs that fall under an ATC code of any level."""
        return tuple(agent for agent in self.spared if any(c.startswith(code) for c in agent.codes))

    def holds_for_all_of(self, code: str) -> bool:
        """True where the rule was written for the whole class `code`, with no drug of it spared."""
        return any(code.startswith(own) for own in self.codes) and not self.spared_within(code)


@dataclass(frozen=True, slots=True)
class ClinicalRule:
    """One graded interaction, in our own words, with a source that a reader can look up."""

    a: Side
    b: Side
    severity: Severity
    kind: Literal["pharmacokinetic", "pharmacodynamic", "both"]
    target: str  # enzyme, transporter, receptor or organ
    mechanism: str
    effect: str
    management: str
    evidence: Literal["established", "probable", "theoretical"]
    source: str


@lru_cache(maxsize=1)
def frequencies() -> Mapping[str, Frequency]:
    """ATC level-5 codes that make up little of their class in hospital use; those left out are common."""
    with FREQUENCIES.open(encoding="utf-8", newline="") as stream:
        return {row["code"]: cast(Frequency, row["frequency"]) for row in csv.DictReader(stream)}


@lru_cache(maxsize=1)
def combinations() -> Mapping[str, tuple[str, ...]]:
    """Drug to the ATC level-5 codes of the fixed combinations that hold it: they carry what it carries."""
    found: dict[str, tuple[str, ...]] = {}
    with COMBINATIONS.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            for drug in row["drugs"].split("; "):
                found[drug] = (*found.get(drug, ()), row["code"])
    return found


@lru_cache(maxsize=1)
def rare_combinations() -> frozenset[str]:
    """Fixed combinations that make up next to nothing of their class."""
    combined = {code for codes in combinations().values() for code in codes}
    return frozenset(code for code in combined if frequencies().get(code) == "rare")


def with_combinations(drugs: tuple[Agent, ...]) -> tuple[Agent, ...]:
    """The drugs, each with the codes of the fixed combinations that hold it."""
    more = combinations()
    return tuple(
        Agent(drug.name, tuple(dict.fromkeys((*drug.codes, *more.get(drug.name, ()))))) for drug in drugs
    )


@lru_cache(maxsize=1)
def clinical_rules() -> tuple[ClinicalRule, ...]:
    """Every rule of the shipped table, in its order."""
    return read_rules(RULES)


def read_rules(path: Path) -> tuple[ClinicalRule, ...]:
    """The rules of a table in the layout of `assets/interactions/clinical.csv`.

    Raises:
        InputError: for a value outside its scale, an empty text, or a code that is not ATC; names the line.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return tuple(_rule(row, f"{path.name}, line {reader.line_num}") for row in reader)


def _rule(row: Mapping[str, str], where: str) -> ClinicalRule:
    for name, allowed in (("severity", GRADED), ("kind", KINDS_OF_MECHANISM), ("evidence", EVIDENCE)):
        if row.get(name) not in allowed:
            raise InputError(f"{where}, column {name}: {row.get(name)!r} is none of {', '.join(allowed)}.")
    for name in ("target", "mechanism", "effect", "management", "source"):
        if not (row.get(name) or "").strip():
            raise InputError(f"{where}, column {name}: expected a text, found nothing.")
    return ClinicalRule(
        a=_side(row, "a", where),
        b=_side(row, "b", where),
        severity=cast(Severity, row["severity"]),
        kind=cast(Literal["pharmacokinetic", "pharmacodynamic", "both"], row["kind"]),
        target=row["target"],
        mechanism=row["mechanism"],
        effect=row["effect"],
        management=row["management"],
        evidence=cast(Literal["established", "probable", "theoretical"], row["evidence"]),
        source=row["source"],
    )


def _side(row: Mapping[str, str], side: str, where: str) -> Side:
    codes = atc_codes(row[f"codes_{side}"], f"{where}, column codes_{side}")
    carriers = with_combinations(agents(row[f"carriers_{side}"], f"{where}, column carriers_{side}"))
    if not carriers:
        raise InputError(
            f"{where}, column carriers_{side}: expected at least one drug that carries the interaction."
        )
    spared = agents(row[f"spared_{side}"], f"{where}, column spared_{side}")
    return Side(row[f"drug_{side}"], codes, carriers, spared)


def atc_codes(cell: str, where: str) -> tuple[str, ...]:
    """ATC codes of level 3 to 5, separated by spaces."""
    codes = tuple(cell.split())
    for code in codes:
        if not _ATC.fullmatch(code):
            raise InputError(f"{where}: {code!r} is no ATC code of level 3, 4 or 5.")
    return codes


def agents(cell: str, where: str) -> tuple[Agent, ...]:
    """Ingredients with their codes, written `name CODE CODE; name CODE`."""
    found = []
    for part in filter(None, (p.strip() for p in cell.split(";"))):
        match = _AGENT.fullmatch(part)
        if match is None:
            raise InputError(
                f"{where}: {part!r} is no drug with its ATC level-5 codes (like 'aspirin B01AC06')."
            )
        found.append(Agent(match["name"], tuple(match["codes"].split())))
    return tuple(found)
