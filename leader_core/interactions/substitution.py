"""What may stand for a drug, and what a diagnosis calls for: three small tables with their sources.

- `interchangeable.csv`: drugs that serve the same use, so that one may be chosen instead of another.
- `substitutes.csv`: a drug of another kind that serves the purpose, with the source that says so.
- `indications.csv`: medications that a diagnosis calls for, which no safer set leaves out silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, cast, get_args

from leader_core.errors import InputError
from leader_core.interactions.rules import ASSETS, Agent, agents, atc_codes, beginnings, check_row, read_rows
from leader_core.terminology.drugs import ATC_LENGTH

Keep = Literal["one", "all", "same"]
"""Of the medications that a diagnosis calls for: at least one stays, each does, if need be as another drug (a regimen,
antibacterials of different spectra), or each stays as the drug that it is (an antiseizure drug that controls seizures)."""


@dataclass(frozen=True, slots=True)
class ExchangeGroup:
    """Drugs that serve the same use."""

    name: str  # "beta-blockers"
    codes: tuple[str, ...]  # beginnings of ATC codes
    only_replaced: tuple[str, ...]  # drugs that these may stand for, but not the other way round
    only_covered: tuple[str, ...]  # drugs that end once one of these is given, but are never exchanged


@dataclass(frozen=True, slots=True)
class Substitute:
    """A drug that may stand for others, for one purpose."""

    codes: tuple[str, ...]  # beginnings of the ATC codes it may stand for
    drug: Agent
    purpose: str  # "pain or fever"
    diagnoses: tuple[str, ...]  # only with one of these; empty: always
    unless: tuple[str, ...]  # with none of these
    source: str

    def serves(self, diagnoses: Iterable[str]) -> bool:
        """Does it serve its purpose with these diagnoses?"""
        return (not self.diagnoses or _any(diagnoses, self.diagnoses)) and not _any(diagnoses, self.unless)


@dataclass(frozen=True, slots=True)
class Indication:
    """Medications that a diagnosis calls for, or that are not left out wherever they are given."""

    condition: str
    diagnoses: tuple[str, ...]  # beginnings of codes with their system; empty: wherever it is given
    unless: tuple[str, ...]
    medication: str  # "an antithrombotic"
    codes: tuple[str, ...]  # beginnings of ATC codes, of level 3 to 5
    keep: Keep
    source: str

    @property
    def statement(self) -> str:
        """ "sepsis calls for an antibacterial", or "opioids in the set: one is kept", which rests on no diagnosis."""
        return f"{self.condition}{' calls for ' if self.diagnoses else ': '}{self.medication}"

    @property
    def classes(self) -> frozenset[str]:
        """The ATC classes of level 3 that its drugs are of."""
        return frozenset(code[: ATC_LENGTH[3]] for code in self.codes)

    def applies(self, diagnoses: Iterable[str]) -> bool:
        """Does one of these diagnoses call for it, and none lift it?"""
        present = tuple(diagnoses)
        return (not self.diagnoses or _any(present, self.diagnoses)) and not _any(present, self.unless)

    def calls_for(self, code: str) -> bool:
        """Is it for this drug (ATC level 5), or for this class?

        Of the codes that stand for a drug only the longest count: with `B01A B01AA` a class of antithrombotics is
        called for, but of the drugs warfarin is and aspirin is not.
        """
        if len(code) < ATC_LENGTH[5] or not code.startswith(self.codes):
            return code.startswith(self.codes)
        return any(
            code.startswith(own)
            for own in self.codes
            if not any(other != own and other.startswith(own) for other in self.codes)
        )


def _any(codes: Iterable[str], starts: tuple[str, ...]) -> bool:
    return bool(starts) and any(code.startswith(starts) for code in codes)


@dataclass(frozen=True, slots=True)
class Uses:
    """A drug's place in the exchange groups, which are given by their numbers."""

    chosen: frozenset[int]  # it may be chosen for another drug
    replaced: frozenset[int]  # another may be chosen for it
    ended: frozenset[int]  # another ends the need for it: a heparin where an oral anticoagulant follows


@lru_cache(maxsize=4096)
def uses_of(code: str) -> Uses:
    """The exchange groups of a drug (ATC level 5)."""
    groups = tuple(enumerate(exchange_groups()))
    chosen = frozenset(number for number, group in groups if code.startswith(group.codes))
    replaced = frozenset(number for number, group in groups if code.startswith(group.only_replaced))
    ended = frozenset(number for number, group in groups if code.startswith(group.only_covered))
    return Uses(chosen, chosen | replaced, ended)


def interchangeable(own: str, other: str) -> bool:
    """May `other` (both ATC level 5) be chosen instead of `own` for the same use?"""
    return not uses_of(own).replaced.isdisjoint(uses_of(other).chosen)


def substitutes(code: str, diagnoses: Iterable[str]) -> tuple[Substitute, ...]:
    """What may stand for a drug (ATC level 5) with these diagnoses, in the table's order."""
    present = tuple(diagnoses)
    return tuple(row for row in all_substitutes() if code.startswith(row.codes) and row.serves(present))


def indications(diagnoses: Iterable[str]) -> tuple[Indication, ...]:
    """What these diagnoses call for, in the table's order."""
    return _called_for(tuple(diagnoses))


@lru_cache(maxsize=256)  # a page reviews several sets of one case
def _called_for(diagnoses: tuple[str, ...]) -> tuple[Indication, ...]:
    return tuple(row for row in all_indications() if row.applies(diagnoses))


@cache
def exchange_groups() -> tuple[ExchangeGroup, ...]:
    """Every group of the table; a bad line raises InputError."""

    def parse(row: Mapping[str, str], where: str) -> ExchangeGroup:
        check_row(row, where, {}, ("group", "codes"))
        return ExchangeGroup(
            row["group"],
            *(_codes(row, where, column) for column in ("codes", "only_replaced", "only_covered")),
        )

    return read_rows(ASSETS / "interchangeable.csv", parse)


@cache
def all_substitutes() -> tuple[Substitute, ...]:
    """Every row of the table; a bad line raises InputError."""

    def parse(row: Mapping[str, str], where: str) -> Substitute:
        check_row(row, where, {}, ("drug", "codes", "substitute", "purpose", "source"))
        drugs = agents(row["substitute"], f"{where}, column substitute")
        if len(drugs) != 1:
            raise InputError(f"{where}, column substitute: {row['substitute']!r} is not one drug.")
        return Substitute(
            _codes(row, where, "codes"),
            drugs[0],
            row["purpose"],
            beginnings(row, where, "diagnoses"),
            beginnings(row, where, "unless"),
            row["source"],
        )

    return read_rows(ASSETS / "substitutes.csv", parse)


@cache
def all_indications() -> tuple[Indication, ...]:
    """Every row of the table; a bad line raises InputError."""

    def parse(row: Mapping[str, str], where: str) -> Indication:
        check_row(row, where, {"keep": get_args(Keep)}, ("condition", "medication", "codes", "source"))
        return Indication(
            row["condition"],
            beginnings(row, where, "diagnoses"),
            beginnings(row, where, "unless"),
            row["medication"],
            _codes(row, where, "codes"),
            cast(Keep, row["keep"]),
            row["source"],
        )

    return read_rows(ASSETS / "indications.csv", parse)


def _codes(row: Mapping[str, str], where: str, column: str) -> tuple[str, ...]:
    return atc_codes(row.get(column) or "", f"{where}, column {column}")
