"""Lists of drugs and of diagnoses as a clinician writes them, read without a cohort.

Drugs become ATC level-5 codes. A diagnosis code without its system is read where only one of the two systems has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final

from leader_core.domain import Concept, Fingerprint, Kind
from leader_core.exchange.paste import read_pieces
from leader_core.exchange.resolve import NO_COHORT, NO_DRUG, ResolvedCode, Unresolved, split_route
from leader_core.interactions.orders import OrderedDrug, drug_names, usual_names
from leader_core.interactions.review import Choice, NotUnderstood, class_choice, drug_choices
from leader_core.interactions.rules import ATC_CODE
from leader_core.interactions.shares import DrugShares
from leader_core.terminology.drug_names import nearest_names, read_drug
from leader_core.terminology.drug_table import Ingredient, is_lone, tokens
from leader_core.terminology.drugs import ATC_LENGTH
from leader_core.terminology.icd import code_title, listed_titles
from leader_core.terminology.synonyms import synonyms

_DRUG_LEVEL: Final = 5
_CATEGORY: Final = 3  # characters of an ICD code
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
        self, text: str, kinds: Iterable[Kind] = ("diagnosis",), limit: int = 20, system: str = ""
    ) -> tuple[Concept, ...]:
        """Diagnoses with exactly this title."""
        diagnosis = _diagnoses_by_title().get(_words(text)) if "diagnosis" in kinds else None
        if diagnosis is None or system not in ("", diagnosis[1]):
            return ()
        return (Concept("diagnosis", *diagnosis),)


def read_drugs(text: str) -> ReadCodes:
    """Drugs in any hospital's spelling, with or without doses and routes, brands, or ATC codes of level 5.

    >>> [drug.code for drug in read_drugs("Coumadin 5 mg PO daily; fluconazole IV").codes]
    ['B01AA03', 'J02AC01']

    Raises:
        InputError: the list is too long.
    """
    read, unmapped, pieces = _collected(text, "medication")
    unknown = []
    for each in unmapped:  # the interaction tables name a few that the drug table lacks
        code = _codes_by_name().get(_words(each.text))
        if code is None:
            unknown.append(
                NotUnderstood(each.text, _no_drug(each.text) if each.reason == NO_DRUG else each.reason)
            )
        else:
            _add(read, code, drug_names()[code], each.text)
    unknown += [
        NotUnderstood(words, f"in {piece!r} was not read")
        for piece in dict.fromkeys(pieces)
        if (words := _unread_words(piece))
    ]
    for piece in pieces:
        _add_other_route(read, piece)
    for code, drug in read.items():
        if len(code) < ATC_LENGTH[5]:
            note = f"ATC has no code for it alone: what is listed about {code} counts"
            read[code] = replace(drug, note="; ".join(filter(None, (drug.note, note))))
    return _sorted(read, unknown)


def _add_other_route(read: dict[str, ReadCode], piece: str) -> None:
    """A mineral without salt and route ("calcium") may be given by mouth or vein: both are looked up."""
    name, route = split_route(piece)
    drugs = read_drug(name).ingredients
    if route or len(drugs) != 1 or not is_lone(tokens(drugs[0].name)):
        return
    codes = {drugs[0].codes[way] for way in ("oral", "iv") if way in drugs[0].codes}
    for code in sorted(codes):
        note = "no route given: looked up by mouth and by vein" if len(codes) > 1 else ""
        read[code] = replace(read.get(code, ReadCode(code, drugs[0].name, (piece,))), note=note)


def _no_drug(text: str) -> str:
    """Why a text names no drug, with what it may mean; nothing is put in its place.

    >>> _no_drug("PPI")
    'is a kind of drugs: name the drug itself'
    """
    if _term(text) in _kinds():
        return "is a kind of drugs: name the drug itself"
    near = nearest_names(text)
    return f"{NO_DRUG}: did you mean {' or '.join(near)}?" if near else NO_DRUG


def _unread_words(piece: str) -> str:
    """The words of a drug's text that were neither read nor are directions; empty where there are none."""
    reading = read_drug(split_route(piece)[0])
    if reading.method != "name":  # the unread words are what the guess was made from
        return ""
    words = [word for word in reading.unread if len(word) >= _NAME_LENGTH and word.isalpha()]
    words = [word for word in words if not _misspelt_part(word, reading.ingredients)]
    return " ".join(words) if words and not _DIRECTIONS.issuperset(words) else ""


def _misspelt_part(word: str, ingredients: Sequence[Ingredient]) -> bool:
    """Whether a word is one of the drugs with a letter wrong, and so was read."""
    meant = read_drug(word).ingredients
    return bool(meant) and {part for each in meant for part in each.parts} <= {
        part for each in ingredients for part in each.parts
    }


def read_choices(
    drugs: Iterable[str], shares: DrugShares
) -> tuple[tuple[Choice, ...], tuple[NotUnderstood, ...]]:
    """Drugs or classes one by one, each in any writing, as choices for a review, and what was not understood.

    Args:
        drugs: codes of drugs, classes at the level of `shares`, or drugs in any hospital's spelling.
        shares: of the drugs within a class.
    """
    level = shares.atc_level
    classes: set[str] = set()
    given: list[OrderedDrug] = []
    unknown: list[NotUnderstood] = []
    for text in drugs:
        code = text.strip().upper()
        if len(code) == ATC_LENGTH[level] < ATC_LENGTH[5] and ATC_CODE.fullmatch(code) and shares.of(code):
            classes.add(code)
            continue
        read = read_drugs(text)
        given += [OrderedDrug(each.name, each.code, each.written) for each in read.codes]
        unknown += read.unknown
        if not read.codes and not read.unknown:
            unknown.append(NotUnderstood(text, "names no drug"))
    suggested = (class_choice(code, shares) for code in sorted(classes))
    return (*drug_choices(given, level), *suggested), tuple(dict.fromkeys(unknown))


def read_diagnoses(text: str) -> ReadCodes:
    """Diagnosis codes in any usual writing, titles, or what clinicians call them ("CHF"), which gives both systems' codes.

    >>> [each.code for each in read_diagnoses("ICD10:E875; 428.0").codes]
    ['ICD10:E875', 'ICD9:4280']

    Raises:
        InputError: the list is too long.
    """
    lines = re.split(r"[\n\r;\t]+", text)
    read, unmapped, _ = _collected("\n".join(map(_with_terms_apart, lines)), "diagnosis")
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
    >>> usual_codes("Hyperkalaemia") == usual_codes("hyperkalemia")
    True
    """
    return _codes_by_term().get(_term(term), ())


def _with_terms_apart(line: str) -> str:
    """A line with clinicians' terms between commas on lines of their own: "I50.9, AF" is two, "I50.9, CHF" one."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) < 2:
        return line
    result = parts[0]
    for before, part in pairwise(parts):
        meant = usual_codes(part)
        digits = before.upper().replace(".", "").rpartition(":")[2][:_CATEGORY]
        describes = any(digits and code.partition(":")[2].startswith(digits) for code in meant)
        separator = "\n" if meant and not describes else ", "
        result += f"{separator}{part}"
    return result


def _collected(text: str, kind: Kind) -> tuple[dict[str, ReadCode], list[NotUnderstood], list[str]]:
    """A list by code, what of it is not understood (pieces of another kind too), and the pieces with a drug's name."""
    read: dict[str, ReadCode] = {}
    unknown: list[NotUnderstood] = []
    named: list[str] = []
    for piece, answer in read_pieces(text, kind, CodeLists()):
        if isinstance(answer, Unresolved):
            unknown.append(NotUnderstood(piece, answer.reason))
            continue
        for match in answer:
            if match.kind != kind:
                unknown.append(NotUnderstood(piece, f"is a {match.kind}, not a {kind}"))
                continue
            note = match.note
            if match.ingredient:
                named.append(piece)
                note = match.note.removeprefix(match.ingredient).removeprefix(", ")
            _add(read, match.code, _name(match), piece, note)
    return read, unknown, named


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
    return match.ingredient or usual_names().get(match.code) or match.title


@lru_cache(maxsize=65_536)
def _words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def _term(text: str) -> str:
    """A condition's words without what spelling decides: "Parkinson's" is Parkinsons, and "haemorrhage" hemorrhage."""
    words = _words(re.sub("['\u2019]", "", text))
    return words.replace("ae", "e").replace("oe", "e").replace("tumour", "tumor")


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
def _kinds() -> frozenset[str]:
    """What clinicians call kinds of drugs: "PPI", "iron"."""
    return frozenset(
        _term(term)
        for synonym in synonyms()
        if synonym.kind == "medication"
        for term in (synonym.meaning, *synonym.terms)
    )


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
                terms.setdefault(_term(term), tuple(usual.values()))
    return terms
