"""From what somebody wrote to a code of the cohort: ICD codes, ATC codes, titles and drug texts.

Where several readings are possible, one wins, and a note says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from leader_core.cohort.sources import SOURCES
from leader_core.domain import PLURALS, Concept, Fingerprint, Kind
from leader_core.terminology.atc import level_of
from leader_core.terminology.drugs import ATC_LENGTH, map_drug, set_aside
from leader_core.terminology.icd import VERSIONS, code_title, normalise_icd, system_of
from leader_core.terminology.routes import known_routes

CANDIDATES: Final = 5
NO_DRUG: Final = "names no drug of the drug table"
"""The reason given of a text that means no drug."""
EITHER_SYSTEM: Final = "read as"
"""How the note on a code begins that is valid in two systems."""
NO_COHORT: Final = ""
"""The source of a `CodeBook` that is no cohort: a code of two systems is then not decided."""
NAMES: Final[Mapping[str, str]] = {
    "ICD9": "ICD-9-CM",
    "ICD10": "ICD-10-CM",
    "ICD9PCS": "ICD-9-CM procedures",
    "ICD10PCS": "ICD-10-PCS",
}


class CodeBook(Protocol):
    """What codes and words need of a cohort; `Cohort` satisfies it."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Source and ATC level."""

    def titles(self, kind: Kind) -> Mapping[str, str]:
        """Title of every code of a kind in the cohort."""

    def title(self, kind: Kind, code: str) -> str | None:
        """A readable title."""

    def search(
        self, text: str, kinds: Iterable[Kind] = ..., limit: int = ..., system: str = ...
    ) -> tuple[Concept, ...]:
        """Concepts that match all words, best first; of one code system where it is named."""


@dataclass(frozen=True, slots=True)
class ResolvedCode:
    """A code that a text means; `note` says what had to be decided on the way."""

    kind: Kind
    code: str
    title: str
    note: str = ""
    ingredient: str = ""  # of a drug's text


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a text means no code that we know, and what may have been meant."""

    reason: str
    candidates: tuple[Concept, ...] = ()
    unknown: bool = False  # nothing was recognised at all


Answer = tuple[ResolvedCode, ...] | Unresolved


class Resolver:
    """Reads codes and words as one cohort writes them."""

    def __init__(self, cohort: CodeBook) -> None:
        self._cohort = cohort
        self._own: dict[Kind, Mapping[str, str]] = {}
        self.atc_level = cohort.fingerprint.atc_level
        source = cohort.fingerprint.source
        self.preferred = None if source == NO_COHORT else SOURCES[source].icd_version
        self.system = ""  # of the list's own codes, where they are of one: what words may mean is of it too
        self.searched = False  # whether anything was read by its words

    def icd(self, text: str, kind: Kind, version: int | None = None) -> Answer:
        """A diagnosis or procedure code; without a version, the one that it is valid in.

        A code that is valid in both is read in the system that this cohort has it in, else in the cohort's usual one.
        """
        versions = VERSIONS if version is None else (version,)
        shaped = {v: code for v in versions if (code := normalise_icd(text, v, kind)) is not None}
        if not shaped:
            return Unresolved(f"has not the form of a code in {_systems(kind, versions)}")
        known = {v: code for v, code in shaped.items() if self.knows(kind, code)}
        if not known:
            return Unresolved(f"is no code that the lists of {_systems(kind, shaped)} hold")
        if len(known) == 1:
            return (self._resolved(kind, *known.values()),)
        nine, ten = (f"{_systems(kind, [v])} ({self.title(kind, code)})" for v, code in known.items())
        if self.preferred is None:
            return Unresolved(f"may be {nine} or {ten}: write ICD9: or ICD10: before it")
        own = [v for v, code in known.items() if code in self.own(kind)]
        chosen = own[0] if len(own) == 1 else self.preferred
        other = next(v for v in known if v != chosen)
        note = (
            f"{EITHER_SYSTEM} {_systems(kind, [chosen])}, as this cohort is coded; "
            f"in {_systems(kind, [other])} it is {self.title(kind, known[other])}"
        )
        return (self._resolved(kind, known[chosen], note),)

    def atc(self, text: str) -> Answer:
        """An ATC code, at the cohort's level."""
        code = text.strip().upper()
        level = level_of(code)
        if level is None:
            return Unresolved("has not the form of an ATC code")
        if level < self.atc_level == 5:
            return Unresolved("is a class: name the drug")
        if level < self.atc_level:
            return Unresolved(
                f"is coarser than the classes here (ATC level {self.atc_level}): name the class"
            )
        short = code[: ATC_LENGTH[self.atc_level]]
        if not self.knows("medication", short):
            return Unresolved(f"is no {'drug' if self.atc_level == 5 else 'class'} of the ATC tables here")
        note = f"{code} read as its class {short}" if short != code else ""
        return (self._resolved("medication", short, note),)

    def drug(self, text: str, route: str = "") -> Answer:
        """The classes of a drug as a hospital writes it, like "warfarin 5 mg PO"; the route may stand in the text."""
        name, written = split_route(text)
        way = route or written
        # the whole text first: "flush" is a route of some tables, and in a drug's name says that it is none
        if reason := set_aside(text, way) or set_aside(name, way):
            return Unresolved(f"is no drug of its own ({reason})")
        matches = map_drug(name, way, self.atc_level)
        if not matches:
            return Unresolved(NO_DRUG, unknown=True)
        guessed = {"misspelt": ", spelling corrected", "truncated": ", name cut short"}
        return tuple(
            replace(
                self._resolved("medication", m.code, f"{m.ingredient}{guessed.get(m.method, '')}"),
                ingredient=m.ingredient,
            )
            for m in matches
        )

    def words(self, text: str, kind: Kind) -> Answer:
        """A title in words. Only a title that says just this is taken; a search that merely matches is offered, not taken.

        ("CHF" matches one title among the code lists, and it is a haemorrhagic fever.)
        """
        self.searched = True
        system = self.system if kind != "medication" else ""
        concepts: tuple[Concept, ...] = ()
        for each in dict.fromkeys((system, "")):  # a title of the other system says its code as well
            matches = self._cohort.search(text, kinds=(kind,), limit=CANDIDATES + 1, system=each)
            exact = next((c for c in matches if _plain(c.title) == _plain(text)), None)
            if exact is not None:  # of two systems with one title the cohort's own comes first in a search
                return (ResolvedCode(kind, exact.code, exact.title),)
            concepts = matches if each == system else concepts
        if concepts:
            return Unresolved(f"matches {PLURALS[kind]} but names none: choose one", concepts[:CANDIDATES])
        return Unresolved(
            f"matches no {kind} {f'of {NAMES.get(system, system)} ' if system else ''}that we know"
        )

    def knows(self, kind: Kind, code: str) -> bool:
        """Whether the cohort or a code list has this code."""
        return code in self.own(kind) or code_title(kind, code) is not None

    def own(self, kind: Kind) -> Mapping[str, str]:
        """The cohort's own codes."""
        if kind not in self._own:
            self._own[kind] = self._cohort.titles(kind)
        return self._own[kind]

    def title(self, kind: Kind, code: str) -> str:
        return self._cohort.title(kind, code) or code_title(kind, code) or code

    def _resolved(self, kind: Kind, code: str, note: str = "") -> ResolvedCode:
        return ResolvedCode(kind, code, self.title(kind, code), note)


def split_route(text: str) -> tuple[str, str]:
    """A drug's text and the route that is written behind its name, as hospitals abbreviate it.

    >>> split_route("warfarin 5 mg PO daily"), split_route("Heparin")
    (('warfarin 5 mg daily', 'PO'), ('Heparin', ''))
    """
    words = text.split()
    for position in range(len(words) - 1, 0, -1):
        for length in (3, 2, 1):
            span = " ".join(words[position : position + length]).strip(".,;()").upper()
            if span in known_routes() and len(words) >= position + length:
                return " ".join(words[:position] + words[position + length :]), span
    return text.strip(), ""


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


def _systems(kind: Kind, versions: Iterable[int]) -> str:
    return " or ".join(NAMES[system_of(kind, version)] for version in versions)
