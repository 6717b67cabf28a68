"""Which medication classes a FHIR resource names, wherever it names them, and by what right it counts.

A name may stand in the text or display of a concept, in a coding of names that has only a code, in the identifier of a
Medication, or in its ingredients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from leader_core.cohort.ndc import PRODUCT, normalise_ndc
from leader_core.errors import InputError
from leader_core.exchange import fhir_terms
from leader_core.exchange.fhir_file import (
    WHAT,
    FhirFile,
    Resource,
    codes_of,
    codings,
    items,
    shape,
    untrue,
    word,
    words_of,
)
from leader_core.exchange.fhir_terms import read_when
from leader_core.exchange.resolve import Answer, Resolver, Unresolved

_NAMED_BY_CODE: Final = re.compile(r"\D*[A-Za-z]{3}\D*|.*[A-Za-z][a-z]{3}.*")
"""A code that reads like a drug's name: 'Warfarin', 'TPN', 'Dextrose 50%'; not 'FURO40I'."""
_LONGEST_NAME: Final = 300
_DEEPEST: Final = 4
"""Medications that are ingredients of each other."""
_MOST_INGREDIENTS: Final = 200
MOST_NAMES: Final = 5_000
"""Different names of drugs in one patient's files; each takes milliseconds to read."""

_MEANT: Final = ("proposal", "plan", "option")
_ELSEWHERE: Final = ("discharge", "community", "outpatient")
"""Categories of prescriptions that are not given in the stay in which they are written."""


def not_given(resource: Resource) -> tuple[str, str]:
    """Why a medication was meant and not given or ordered: its kind, to count, and the reason; empty where it was."""
    data = resource.data
    status, intent = data.get("status"), data.get("intent")
    if reason := untrue(resource):
        return f"status {status}", reason
    if data.get("doNotPerform") is True:
        return "not to be given", "it says not to give this"
    if resource.kind == "MedicationRequest":
        if isinstance(intent, str) and intent in _MEANT:
            return f"{intent}s", f"is {'an' if intent == 'option' else 'a'} {intent}, not an order"
        if status == "stopped" and _stopped_before_start(data):
            return "stopped before it began", "was stopped before it began"
    return "", ""


def _stopped_before_start(data: Mapping[str, Any]) -> bool:
    periods = [p for d in items(data.get("dispenseRequest")) for p in items(d.get("validityPeriod"))]
    for dosage in items(data.get("dosageInstruction")):
        periods += [
            p
            for t in items(dosage.get("timing"))
            for r in items(t.get("repeat"))
            for p in items(r.get("boundsPeriod"))
        ]
    for period in periods:
        start, end = read_when(period.get("start")), read_when(period.get("end"))
        if start is not None and end is not None and end.until < start.local:
            return True
    return False


def given_elsewhere(resource: Resource) -> str:
    """The category of a prescription for outside the hospital ("discharge"); empty for others."""
    if resource.kind != "MedicationRequest":
        return ""
    stated = codes_of(resource.data.get("category"))
    stated |= {text.lower() for text in words_of(resource.data.get("category"))}
    return next((category for category in _ELSEWHERE if category in stated), "")


def reported(resource: Resource) -> bool:
    """Whether somebody reports what the patient takes, rather than orders it."""
    if resource.kind == "MedicationStatement":
        return "inpatient" not in codes_of(resource.data.get("category"))
    data = resource.data
    return resource.kind == "MedicationRequest" and (
        data.get("reportedBoolean") is True or bool(items(data.get("reportedReference")))
    )


class MedicationReader:
    """The classes that medication resources of one file name."""

    def __init__(self, file: FhirFile, resolver: Resolver, ndc_map: Mapping[str, str]) -> None:
        self._file = file
        self._resolver = resolver
        self._ndc_map = ndc_map  # NDC of 11 digits -> ATC code
        self._names: dict[tuple[str, str], Answer] = {}  # (name, route) -> what it means

    def read(self, resource: Resource) -> Answer:
        """By ATC code, else by the drug's name and route, else by its ingredients, else by NDC where a map is given."""
        data = resource.data
        concept, medication = data.get("medicationCodeableConcept"), self._medication(data)
        route = _route(data)
        sources: list[object] = [concept, *items(data.get("medicationReference"))]
        answers = [self._concept(concept, route)] if concept is not None else []
        if medication is not None:
            answers.append(self._of_medication(medication, route, data, 0, {id(medication)}))
        elif concept is None or not items(concept):
            names = [name for each in sources for name in _displays(each)]
            answers += [self._named(name, route) for name in names]
        if (best := _best(answers)) is not None:
            return best
        if concept is not None:
            return Unresolved(f"its medication is {shape(concept)}: expected a concept")
        return Unresolved(
            "its medication is not in the file" if data.get("medicationReference") else "names no medication"
        )

    def words(self, resource: Resource) -> str:
        """What a resource calls its medication, for the list."""
        data = resource.data
        texts = _about(data.get("medicationCodeableConcept"))
        medication = self._medication(data)
        if not texts and medication is not None:
            texts = [*_about(medication.get("code")), *_identified(medication)]
            few = islice(_ingredients(medication), _MOST_INGREDIENTS)
            texts += [name for item in few for name in self._of_ingredient(item, data)]
        texts = texts or [name for each in items(data.get("medicationReference")) for name in _displays(each)]
        return " ".join(texts[:2])[:160]

    def _of_ingredient(self, item: Mapping[str, Any], holder: Mapping[str, Any]) -> list[str]:
        inner = [m for each in items(item.get("itemReference")) if (m := self._referenced(each, holder))]
        return [
            *words_of(item.get("itemCodeableConcept")),
            *(name for each in inner for name in _identified(each)),
        ]

    def _medication(self, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The Medication that a resource refers to, which it may carry inside itself."""
        for reference in items(data.get("medicationReference")):
            if (medication := self._referenced(reference, data)) is not None:
                return medication
        return None

    def _referenced(
        self, reference: Mapping[str, Any], holder: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        name = word(reference.get("reference"))
        if name.startswith("#"):
            return next((c for c in items(holder.get("contained")) if c.get("id") == name[1:]), None)
        resource = self._file.find(reference)
        return resource.data if resource is not None and resource.kind == "Medication" else None

    def _of_medication(
        self, medication: Mapping[str, Any], route: str, holder: Mapping[str, Any], depth: int, seen: set[int]
    ) -> Answer:
        """By its own names, else by its ingredients; `seen` are the id() of Medications that need no second look."""
        answers = [self._concept(medication.get("code"), route)] if medication.get("code") is not None else []
        answers += [self._named(name, route) for name in _identified(medication)]
        best = _best(answers)
        if best is not None and not isinstance(best, Unresolved):
            return best
        ingredients = list(islice(_ingredients(medication), _MOST_INGREDIENTS + 1))
        if len(ingredients) > _MOST_INGREDIENTS:
            return Unresolved(f"has more than {_MOST_INGREDIENTS} ingredients")
        parts: list[Answer] = []
        for item in ingredients if depth < _DEEPEST else ():
            reference = item.get("itemReference") or item.get("reference")
            inner = [
                m for each in items(reference) if (m := self._referenced(each, {**holder, **medication}))
            ]
            new = [each for each in inner if id(each) not in seen]
            seen.update(map(id, new))
            parts += [
                self._of_medication(each, route, {**holder, **medication}, depth + 1, seen) for each in new
            ]
            concept = item.get("itemCodeableConcept") or item.get("concept")
            if concept is not None:
                parts.append(self._concept(concept, route))
            if not inner and concept is None:
                parts += [self._named(name, route) for each in items(reference) for name in _displays(each)]
        matches = [match for part in parts if not isinstance(part, Unresolved) for match in part]
        if matches:
            return tuple(dict.fromkeys(matches))
        return best or _best(parts) or Unresolved("names no medication")

    def _concept(self, concept: object, route: str) -> Answer:
        """One concept: an ATC code wins, then names, then an NDC; a lone code of another system names nothing."""
        coded = list(codings(concept))
        names = words_of(concept)
        answers: list[Answer] = []
        for uri, code, display in coded:
            system = fhir_terms.system_of(uri)
            if system == "atc":
                answers.append(self._resolver.atc(code))
            elif code and not display and _is_name(uri, code):
                names.append(code)
        named = [self._named(name, route) for name in dict.fromkeys(names)]
        answers += named
        answers += [
            self._by_ndc(code) for uri, code, _ in coded if fhir_terms.system_of(uri) == "ndc" and code
        ]
        unnamed = [fhir_terms.system_name(uri) for uri, _, _ in coded if fhir_terms.system_of(uri) != "atc"]
        if not named and unnamed:
            answers += [
                Unresolved(f"{name} is not mapped") for name in dict.fromkeys(unnamed) if name != "NDC"
            ]
        return _best(answers) or Unresolved(
            "names no medication"
            if items(concept)
            else f"its medication is {shape(concept)}: expected a concept"
        )

    def _named(self, name: str, route: str) -> Answer:
        key = (name[:_LONGEST_NAME], route)
        if key not in self._names:
            if len(self._names) >= MOST_NAMES:
                raise InputError(
                    f"{WHAT} has more than {MOST_NAMES:,} different names of drugs. Export one patient."
                )
            self._names[key] = self._resolver.drug(*key)
        return self._names[key]

    def _by_ndc(self, code: str) -> Answer:
        normal = normalise_ndc(code)
        atc = self._ndc_map.get(normal) or self._ndc_map.get(normal[:PRODUCT]) if normal else None
        if atc is None:
            return Unresolved("NDC is not mapped" if not self._ndc_map else "NDC is not in the map")
        return self._resolver.atc(atc)


def _best(answers: list[Answer]) -> Answer | None:
    """The first that names a class, else the first that knows what it is, else all reasons."""
    if (match := next((a for a in answers if not isinstance(a, Unresolved)), None)) is not None:
        return match
    refused = [a for a in answers if isinstance(a, Unresolved)]
    if not refused:
        return None
    known = next((a for a in refused if a.reason.startswith("is no drug of its own")), None)
    return known or Unresolved("; ".join(dict.fromkeys(a.reason for a in refused))[:200])


def _is_name(uri: str, code: str) -> bool:
    """Whether a code without a display is a name: by its system, or where that is unknown, by how it reads."""
    if fhir_terms.known_system(uri):
        return False
    return "name" in uri.rpartition("/")[2].lower() or bool(_NAMED_BY_CODE.fullmatch(code))


def _identified(medication: Mapping[str, Any]) -> list[str]:
    """Names among a Medication's identifiers."""
    names = [
        word(item.get("value"))
        for item in items(medication.get("identifier"))
        if "name" in word(item.get("system")).rpartition("/")[2].lower()
    ]
    return [name for name in names if name]


def _ingredients(medication: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Ingredients: R4's, those of R5 (a CodeableReference) and of DSTU2 (inside the product)."""
    listed = items(medication.get("ingredient"))
    listed += [
        item for product in items(medication.get("product")) for item in items(product.get("ingredient"))
    ]
    for item in listed:
        yield item
        yield from items(item.get("item"))


def _displays(reference: object) -> list[str]:
    return [name for each in items(reference) if (name := word(each.get("display")))]


def _about(concept: object) -> list[str]:
    code = next((code for _, code, _ in codings(concept) if code), "")
    return [*filter(None, (code[:40],)), *words_of(concept)]


def _route(data: Mapping[str, Any]) -> str:
    """The route of a medication resource, as hospitals abbreviate it."""
    for item in (*items(data.get("dosageInstruction")), *items(data.get("dosage"))):
        for concept in items(item.get("route")):
            texts = words_of(concept)
            for _, code, display in (*codings(concept), ("", "", "")):
                words = display or (texts[0] if texts else "") or code
                if words and (route := fhir_terms.route(code, words)):
                    return route
    return ""
