"""What a FHIR condition or procedure says: codes that are used here, or words to search codes by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leader_core.domain import Concept, Kind
from leader_core.errors import InputError
from leader_core.exchange import fhir_terms
from leader_core.exchange.code_lists import usual_codes
from leader_core.exchange.fhir_file import WHAT, Resource, codes_of, codings, items, shape, words_of
from leader_core.exchange.fhir_stays import PendingCondition, Stay
from leader_core.exchange.fhir_terms import read_when
from leader_core.exchange.resolve import CANDIDATES, NAMES, CodeBook, ResolvedCode, Resolver, Unresolved
from leader_core.search.words import content_words, fold

_REFUTED: Final = ("refuted", "entered-in-error")
_ENDED: Final = frozenset(("inactive", "remission", "resolved"))
_ACTIVE: Final = frozenset(("active", "recurrence", "relapse"))
_TAG: Final = re.compile(
    r"\s*\((?:disorder|finding|situation|morphologic abnormality|event|procedure|person)\)\s*$", re.I
)
"""What SNOMED CT's full names end with."""
_LONGEST: Final = 200
MOST_OFFERED: Final = 1_000
"""Different conditions of one patient that have no code which is used here."""
_SEARCHED: Final = 30
"""Matches among which one is looked for that says just what a condition says."""
_SAYS_NOTHING: Final = frozenset("unspecified nos nec not otherwise specified organism site type".split())


@dataclass(frozen=True, slots=True)
class OfferedCondition:
    """A condition without a code that is used here, and the codes that its words may mean."""

    text: str
    reason: str
    visits: tuple[int, ...]  # places in the history; the number of earlier visits is the current one
    concepts: tuple[Concept, ...]
    sure: bool  # the first concept says just this


def refuted(resource: Resource) -> str:
    """Why a condition does not hold; empty where it may."""
    status = codes_of(resource.data.get("verificationStatus"))
    return next((f"its verification status is {each}" for each in _REFUTED if each in status), "")


def is_active(resource: Resource) -> bool | None:
    """Whether a condition lasts; None where it does not say."""
    status = codes_of(resource.data.get("clinicalStatus"))
    ended = any(read_when(resource.data.get(name)) for name in ("abatementDateTime", "abatementDate"))
    if status & _ENDED or ended or items(resource.data.get("abatementPeriod")):
        return False
    return True if status & _ACTIVE else None


def on_problem_list(resource: Resource) -> bool:
    """Whether a condition is an entry of the problem list, and no diagnosis of one encounter."""
    stated = codes_of(resource.data.get("category"))
    return "problem-list-item" in stated or "problem" in stated


def read_codes(
    resource: Resource, kind: Kind, resolver: Resolver
) -> tuple[ResolvedCode, ...] | PendingCondition | Unresolved:
    """The first ICD code of a concept that we know, the cohort's own version before the other; else its words."""
    concept = resource.data.get("code")
    stated = [(fhir_terms.system_of(uri), uri, code) for uri, code, _ in codings(concept)]
    reasons: list[str] = []
    like = ""  # a code of another edition of ICD-10, or of none
    order = {f"icd{resolver.preferred}": 0}
    for system, uri, code in sorted(stated, key=lambda each: order.get(each[0], 1)):
        if system not in ("icd9", "icd10"):
            reasons.append(f"{fhir_terms.system_name(uri)} is not mapped")
            like = like or (code if system == "other icd10" or not uri else "")
            continue
        answer = resolver.icd(code, kind, 9 if system == "icd9" else 10)
        if not isinstance(answer, Unresolved):
            return answer
        reasons.append(answer.reason)
    reason = "; ".join(dict.fromkeys(reasons)) or _wordless(concept)
    cleaned = (_TAG.sub("", words)[:_LONGEST] for words in words_of(concept))
    text = next(filter(None, cleaned), "")
    if kind == "diagnosis" and (text or like):
        return PendingCondition(resource, text or like, like, reason)
    return Unresolved(reason)


def _wordless(concept: object) -> str:
    if concept is None:
        return "has no code and no words"
    if not items(concept):
        return f"its code is {shape(concept)}: expected a concept"
    return f"has {'words but ' if words_of(concept) else 'no words and '}no code as text"


def words_for_list(resource: Resource) -> str:
    """What a condition or procedure is about, as it says itself."""
    concept = resource.data.get("code")
    code = next((code for _, code, _ in codings(concept) if code), "")
    return " ".join(filter(None, (code[:40], *words_of(concept)[:1])))[:160]


def offered(stays: Sequence[tuple[int, Stay]], cohort: CodeBook) -> tuple[OfferedCondition, ...]:
    """Conditions to be chosen a code for, each text once; `stays` are given with their places in the case.

    The codes offered are of the system that the visits of a condition are coded in, else the other visits, where it is one.

    Raises:
        InputError: more of them than one patient can have; each takes milliseconds to look up.
    """
    grouped: dict[tuple[str, str], tuple[PendingCondition, list[int]]] = {}
    for place, stay in stays:
        for each in stay.pending:
            _, places = grouped.setdefault((each.text.casefold(), each.code), (each, []))
            if place not in places:
                places.append(place)
    if len(grouped) > MOST_OFFERED:
        raise InputError(
            f"{WHAT} has more than {MOST_OFFERED:,} different conditions without a code that is used here. Export one patient."
        )
    systems = {place: {code.partition(":")[0] for code in stay.codes["diagnosis"]} for place, stay in stays}
    every = {system for written in systems.values() for system in written}
    return tuple(
        _offer(each, tuple(places), cohort, {s for place in places for s in systems[place]} or every)
        for each, places in grouped.values()
    )


def _offer(
    pending: PendingCondition, places: tuple[int, ...], cohort: CodeBook, systems: set[str]
) -> OfferedCondition:
    concepts: list[Concept] = []
    system = "ICD10" if pending.code else next(iter(systems)) if len(systems) == 1 else ""
    if pending.code:
        concepts += cohort.search(pending.code, kinds=("diagnosis",), limit=CANDIDATES, system=system)
    usual = {f"ICD10:{pending.code.replace('.', '').upper()}", *usual_codes(pending.text)}
    if pending.text != pending.code:
        concepts += cohort.search(pending.text, kinds=("diagnosis",), limit=_SEARCHED, system=system)
    distinct = {concept.code: concept for concept in concepts}.values()
    exact = [c for c in distinct if c.code in usual or _content(c.title) == _content(pending.text)]
    others = [concept for concept in distinct if concept not in exact]
    known = f"of {NAMES[system]} that we know" if system else "that we know"
    reason = pending.reason if distinct else f"{pending.reason}; its words match no diagnosis {known}"
    return OfferedCondition(
        pending.text, reason, places, tuple((*exact, *others)[:CANDIDATES]), sure=bool(exact)
    )


def _content(text: str) -> frozenset[str]:
    return frozenset(content_words(fold(text).split())) - _SAYS_NOTHING
