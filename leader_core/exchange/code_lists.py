"""Lists of drugs and of diagnoses as a clinician writes them, read without a cohort.

Drugs become ATC level-5 codes. A diagnosis code without its system is read where only one of the two systems has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

from leader_core.domain import Concept, Fingerprint, Kind, Order
from leader_core.exchange.paste import PastedList, read_list
from leader_core.exchange.resolve import NO_COHORT, ResolvedCode, split_route
from leader_core.interactions.orders import OrderedDrug, drug_names
from leader_core.interactions.review import Choice, UnknownDrug, choices_of, drug_choices
from leader_core.interactions.rules import ATC_CODE, LEVEL_LENGTH
from leader_core.interactions.shares import DrugShares
from leader_core.terminology.drug_names import read_drug
from leader_core.terminology.icd import code_title, listed_titles
from leader_core.terminology.synonyms import synonyms

_DRUG_LEVEL: Final = 5
_NAME_LENGTH: Final = 5
"""Letters from which an unread word in a drug's text may be another drug; shorter ones are directions ("qhs")."""
_DIRECTIONS: Final = frozenset(
    "after bedtime before breakfast dinner evening every hours lunch meals monthly morning needed nightly scale "
    "sliding weekly".split()
)


@dataclass(frozen=True, slots=True)
class ReadCode:
    """A code and everything in the list that means it."""

    code: str  # ATC, or ICD with its system; level 4 where ATC has no code for the drug itself
    name: str
    written: tuple[str, ...]
    note: str = ""  # what had to be decided: "spelling corrected"


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A piece of the list that means no code, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadCodes:
    """A list as it was read, in order of codes."""

    codes: tuple[ReadCode, ...]
    unknown: tuple[NotUnderstood, ...]


class CodeLists:
    """The published code lists and drug tables in a cohort's place; satisfies `CodeBook`."""

    fingerprint: Final = Fingerprint(
        "Code lists", NO_COHORT, False, "", _DRUG_LEVEL, 0, 0, 0, 0, 0, 0, 0.0, ""
    )

    def titles(self, kind: Kind) -> Mapping[str, str]:
        """The drugs that the interaction tables name, some of which have no title; no diagnosis or procedure."""
        return drug_names() if kind == "medication" else {}

    def title(self, kind: Kind, code: str) -> str | None:
        """A readable title."""
        return code_title(kind, code) or self.titles(kind).get(code)

    def search(
        self, text: str, kinds: Iterable[Kind] = ("diagnosis",), limit: int = 20
    ) -> tuple[Concept, ...]:
        """Diagnoses with exactly this title."""
        if "diagnosis" not in kinds:
            return ()
        diagnosis = _diagnoses_by_title().get(_words(text))
        return () if diagnosis is None else (Concept("diagnosis", *diagnosis),)


def read_drugs(text: str) -> ReadCodes:
    """Drugs in any hospital's spelling, with or without doses and routes, brands, or ATC codes of level 5.

    >>> [drug.code for drug in read_drugs("Coumadin 5 mg PO daily; fluconazole IV").codes]
    ['B01AA03', 'J02AC01']

    Raises:
        InputError: the list is too long.
    """
    pasted = read_list(text, "medication", CodeLists())
    codes, unmapped = _collected(pasted, "medication")
    read = {each.code: each for each in codes}
    unknown = []
    for each in unmapped:  # the interaction tables name a few that the drug table lacks
        code = _codes_by_name().get(_words(each.text))
        if code is None:
            unknown.append(each)
        else:
            _add(read, code, drug_names()[code], each.text)
    for piece in dict.fromkeys(match.text for match in pasted.resolved if match.code.ingredient):
        reading = read_drug(split_route(piece)[0])
        if reading.method == "name":  # else the unread words are what the guess was made from
            words = [word for word in reading.unread if len(word) >= _NAME_LENGTH and word.isalpha()]
            if words and not _DIRECTIONS.issuperset(words):
                unknown.append(NotUnderstood(" ".join(words), f"in {piece!r} was not read"))
    return _sorted(read, unknown)


def read_choices(
    drugs: Iterable[str], orders: Iterable[Order], shares: DrugShares, level: int
) -> tuple[tuple[Choice, ...], tuple[UnknownDrug, ...]]:
    """Drugs or classes one by one, each in any writing, as choices for a review, and what was not understood.

    Args:
        drugs: codes of drugs, classes at the level, or drugs in any hospital's spelling.
        orders: a visit's drug strings; a class that has some becomes the drugs that they name.
        shares: of the drugs within a class.
        level: ATC level of the classes.
    """
    classes: list[str] = []
    given: list[OrderedDrug] = []
    unknown: list[UnknownDrug] = []
    for text in drugs:
        code = text.strip().upper()
        if (
            len(code) == LEVEL_LENGTH[level] < LEVEL_LENGTH[5]
            and ATC_CODE.fullmatch(code)
            and shares.of(code)
        ):
            classes.append(code)
            continue
        read = read_drugs(text)
        given += [OrderedDrug(each.name, each.code, each.written) for each in read.codes]
        unknown += [UnknownDrug(each.text, each.reason) for each in read.unknown]
        if not read.codes and not read.unknown:
            unknown.append(UnknownDrug(text, "names no drug"))
    chosen = choices_of(classes, orders, shares, level)
    ordered = [
        OrderedDrug(d.name, d.code, d.written) for choice in chosen if choice.known for d in choice.drugs
    ]
    return (
        (*drug_choices((*given, *ordered), level), *(choice for choice in chosen if not choice.known)),
        tuple(dict.fromkeys(unknown)),
    )


def read_diagnoses(text: str) -> ReadCodes:
    """Diagnosis codes in any usual writing, titles, or what clinicians call them ("CHF"), which gives both systems' codes.

    >>> [each.code for each in read_diagnoses("ICD10:E875; 428.0").codes]
    ['ICD10:E875', 'ICD9:4280']

    Raises:
        InputError: the list is too long.
    """
    codes, unmapped = _collected(read_list(text, "diagnosis", CodeLists()), "diagnosis")
    read = {each.code: each for each in codes}
    unknown = []
    for each in unmapped:
        meant = usual_codes(each.text)
        if not meant:
            unknown.append(each)
        for code in meant:
            _add(read, code, code_title("diagnosis", code) or each.text, each.text)
    return _sorted(read, unknown)


def usual_codes(term: str) -> tuple[str, ...]:
    """The code usually meant in each system by what clinicians call a condition; none where the term is not known.

    >>> usual_codes("hypertension")
    ('ICD9:4019', 'ICD10:I10')
    """
    return _codes_by_term().get(_words(term), ())


def _collected(pasted: PastedList, kind: Kind) -> tuple[tuple[ReadCode, ...], list[NotUnderstood]]:
    """A list by code; repeated pieces stand with their code, pieces of another kind are not understood."""
    unknown = [NotUnderstood(each.text, each.reason) for each in pasted.unmapped]
    matches = [(match.text, match.code) for match in pasted.resolved]
    for piece in pasted.repeated:
        matches += [(piece, again.code) for again in read_list(piece, kind, CodeLists()).resolved]
    read: dict[str, ReadCode] = {}
    for written, match in matches:
        if match.kind != kind:
            unknown.append(NotUnderstood(written, f"is a {match.kind}, not a {kind}"))
            continue
        note = match.note
        if match.ingredient:
            note = match.note.removeprefix(match.ingredient).removeprefix(", ")
        _add(read, match.code, _name(match), written, note)
    return tuple(read[code] for code in sorted(read)), unknown


def _add(read: dict[str, ReadCode], code: str, name: str, written: str, note: str = "") -> None:
    before = read.get(code)
    if before is None:
        read[code] = ReadCode(code, name, (written,), note)
    else:
        read[code] = replace(before, written=(*before.written, written), note=before.note or note)


def _sorted(read: Mapping[str, ReadCode], unknown: list[NotUnderstood]) -> ReadCodes:
    return ReadCodes(tuple(read[code] for code in sorted(read)), tuple(unknown))


def _name(match: ResolvedCode) -> str:
    if match.kind != "medication":
        return match.title
    return match.ingredient or drug_names().get(match.code) or match.title


@lru_cache(maxsize=65_536)
def _words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


@cache
def _diagnoses_by_title() -> Mapping[str, tuple[str, str, str]]:
    """Title in plain words -> code, system and title; where both systems have it, ICD-10-CM."""
    return {
        _words(title): (f"{system}:{bare}", system, title)
        for system in ("ICD9", "ICD10")
        for bare, title in listed_titles(system).items()
    }


@cache
def _codes_by_name() -> Mapping[str, str]:
    """Drug as the interaction tables name it -> its first code."""
    codes: dict[str, str] = {}
    for code, name in drug_names().items():
        codes.setdefault(_words(name), code)
    return codes


@cache
def _codes_by_term() -> Mapping[str, tuple[str, ...]]:
    """What clinicians call a condition -> the code usually meant in each system, or its category (`ICD10:I50`)."""
    terms: dict[str, tuple[str, ...]] = {}
    for synonym in synonyms():
        if synonym.kind == "diagnosis":
            usual: dict[str, str] = {}
            for code in synonym.codes:
                if "*" not in code[:-1]:
                    usual.setdefault(code.partition(":")[0], code.removesuffix("*"))
            for term in (synonym.meaning, *synonym.terms):
                terms.setdefault(_words(term), tuple(usual.values()))
    return terms
