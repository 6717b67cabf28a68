"""A FHIR R4 Bundle as a case: encounters become visits, their conditions, procedures and medications its codes.

What the last (or chosen) encounter was given is the truth to compare with, never input. Whatever is not in the case
is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from leader_core.domain import Case, Kind, Visit
from leader_core.errors import InputError
from leader_core.exchange import fhir_terms
from leader_core.exchange.fhir_bundle import WHAT, Bundle, Listed, Resource, read_bundle
from leader_core.exchange.fhir_patient import ProfileBook, read_profile
from leader_core.exchange.fhir_terms import Span, span_of
from leader_core.exchange.resolve import ResolvedCode, Resolver, Unresolved

_KINDS: Final[Mapping[str, Kind]] = {
    "Condition": "diagnosis",
    "Procedure": "procedure",
    "MedicationRequest": "medication",
    "MedicationStatement": "medication",
    "MedicationAdministration": "medication",
}
_NOT_TRUE: Final[Mapping[str, frozenset[str]]] = {
    "Encounter": frozenset(("planned", "cancelled", "entered-in-error")),
    "Procedure": frozenset(("preparation", "not-done", "entered-in-error")),
    "MedicationRequest": frozenset(("cancelled", "draft", "entered-in-error")),
    "MedicationStatement": frozenset(("not-taken", "intended", "entered-in-error")),
    "MedicationAdministration": frozenset(("not-done", "entered-in-error")),
}
"""Statuses that say it never happened."""


@dataclass(frozen=True, slots=True)
class EncounterChoice:
    """A visit that the bundle offers as the current one."""

    label: str  # "Encounter/e3"
    began: str  # as written; empty where it is not
    diagnoses: int
    procedures: int
    medications: int


@dataclass(frozen=True, slots=True)
class Imported:
    """A case from a bundle, and everything of the bundle that it does not hold."""

    case: Case
    titles: Mapping[str, str]  # code -> title
    listed: tuple[Listed, ...]
    notes: tuple[str, ...]  # decisions taken while reading
    encounters: tuple[EncounterChoice, ...]  # in time order
    current: str  # label of the current one


@dataclass(slots=True)
class _Stay:
    """One encounter on its way to a visit."""

    label: str
    span: Span
    resource: Resource | None
    codes: dict[Kind, dict[str, int]] = field(
        default_factory=lambda: {"diagnosis": {}, "procedure": {}, "medication": {}}
    )  # code -> rank, in the order they came

    def visit(self, number: int) -> Visit:
        def ordered(kind: Kind) -> tuple[str, ...]:
            return tuple(sorted(self.codes[kind], key=self.codes[kind].__getitem__))

        return Visit(
            ordered("diagnosis"),
            ordered("procedure"),
            ordered("medication"),
            visit_no=number,
            admitted_at=self.span.start.local if self.span.start else None,
            discharged_at=self.span.end.local if self.span.end else None,
        )

    @property
    def empty(self) -> bool:
        return not any(self.codes.values())


def read_fhir(data: bytes, cohort: ProfileBook, *, current: str | None = None) -> Imported:
    """A case from the bytes of a FHIR R4 Bundle in JSON.

    Args:
        data: the file. Nothing that it refers to is opened or fetched.
        cohort: whose codes, ATC level and profile values count.
        current: label of the encounter to recommend for; by default the last.

    Raises:
        InputError: one sentence on why there is no case in it.
    """
    bundle = read_bundle(data)
    patients = bundle.resources["Patient"]
    if len(patients) > 1:
        raise InputError(
            f"{WHAT} holds {len(patients)} patients: expected one. Export one patient at a time."
        )
    reading = _Reading(bundle, patients[0] if patients else None, Resolver(cohort))
    stays = reading.stays()
    if not any(stay.codes["diagnosis"] or stay.codes["procedure"] for stay in stays):
        reason = f"; the first of {len(bundle.listed)}: {bundle.listed[0].reason}" if bundle.listed else ""
        raise InputError(
            f"{WHAT} holds no diagnosis and no procedure that can be read{reason}. Conditions need ICD-9-CM or "
            "ICD-10-CM codes, procedures ICD-9 or ICD-10-PCS ones."
        )
    return _imported(reading, stays, current, cohort)


def _imported(reading: _Reading, stays: list[_Stay], current: str | None, cohort: ProfileBook) -> Imported:
    choices = tuple(
        EncounterChoice(
            s.label, s.span.start.text if s.span.start else "", *(len(c) for c in s.codes.values())
        )
        for s in stays
    )
    labels = [stay.label for stay in stays]
    if current is not None and current not in labels:
        raise InputError(
            f"{WHAT} has no encounter {current!r} with codes: choose one of {', '.join(labels)}."
        )
    chosen = len(stays) - 1 if current is None else labels.index(current)
    for later in stays[chosen + 1 :]:
        reading.leave_out(later.label, "", "is later than the chosen encounter, which cannot know it")
    begin = stays[chosen].span.start
    if stays[chosen].codes["medication"]:
        reading.notes.append(
            f"{len(stays[chosen].codes['medication'])} medication classes of the current visit are what was prescribed: "
            "the models do not see them."
        )
    encounter = stays[chosen].resource
    profile, missed = read_profile(
        reading.patient,
        reading.bundle.resources["Coverage"],
        encounter,
        begin.local if begin else None,
        cohort,
    )
    reading.bundle.listed += missed
    if reading.bundle.ignored:
        ignored = ", ".join(f"{n} {kind}" for kind, n in sorted(reading.bundle.ignored.items()))
        reading.notes.append(f"Not read, because no case holds such things: {ignored}.")
    visits = [stay.visit(number) for number, stay in enumerate(stays[: chosen + 1], 1)]
    return Imported(
        case=Case(profile, tuple(visits[:-1]), visits[-1]),
        titles=reading.titles,
        listed=tuple(reading.bundle.listed),
        notes=tuple(reading.notes),
        encounters=choices,
        current=labels[chosen],
    )


class _Reading:
    """One pass over a bundle's clinical resources."""

    def __init__(self, bundle: Bundle, patient: Resource | None, resolver: Resolver) -> None:
        self.bundle = bundle
        self.patient = patient
        self.resolver = resolver
        self.notes: list[str] = []
        self.titles: dict[str, str] = {}

    def leave_out(self, resource: str, code: str, reason: str) -> None:
        self.bundle.listed.append(Listed(resource, code, reason))

    def stays(self) -> list[_Stay]:
        """Encounters with at least one code, in time order."""
        stays = {id(s.resource): s for s in self._encounters()}
        ranks = self._ranks(stays)
        alone: _Stay | None = None
        if not stays:
            alone = _Stay("the whole file", Span(None, None), None)
            self.notes.append(
                "There is no encounter in the file: all that is in it is taken as one visit, today's."
            )
        for kind_of, kind in _KINDS.items():
            for resource in self.bundle.resources[kind_of]:
                if self._untrue(resource) or self._of_another(resource):
                    continue
                stay = alone or self._stay(resource, stays, ranks)
                if stay is not None:
                    self._code(resource, kind, stay, ranks.get(resource.label, (None, 10**6))[1])
        every = [alone] if alone else list(stays.values())
        for stay in every:
            if stay.empty:
                self.leave_out(stay.label, "", "has no diagnosis, procedure or medication that can be read")
        filled = [stay for stay in every if not stay.empty]
        undated = [stay for stay in filled if stay.span.start is None and stay.resource is not None]
        if undated and len(filled) > 1:
            names = ", ".join(stay.label for stay in undated)
            self.notes.append(f"Without a date, and therefore taken as the earliest: {names}.")
        return sorted(
            filled, key=lambda s: (s.span.start is not None, s.span.start.instant if s.span.start else 0.0)
        )

    def _encounters(self) -> Iterator[_Stay]:
        for resource in self.bundle.resources["Encounter"]:
            if not self._untrue(resource) and not self._of_another(resource):
                span = span_of(resource.data)
                lasting = span.end is None and resource.data.get("status") == "in-progress"
                yield _Stay(resource.label, replace(span, lasting=lasting), resource)

    def _ranks(self, stays: Mapping[int, _Stay]) -> dict[str, tuple[_Stay, int]]:
        """Condition or procedure -> the encounter that lists it as a diagnosis, and at which rank."""
        ranks: dict[str, tuple[_Stay, int]] = {}
        for stay in stays.values():
            listed = (stay.resource.data.get("diagnosis") or []) if stay.resource else []
            for position, item in enumerate(listed, 1):
                if (named := self.bundle.find(item.get("condition"))) is not None:
                    ranks.setdefault(named.label, (stay, int(item.get("rank") or position)))
        return ranks

    def _untrue(self, resource: Resource) -> bool:
        """Lists what a resource itself says did not happen."""
        data, said = resource.data, ""
        if data.get("status") in _NOT_TRUE.get(resource.kind, ()):
            said = f"its status is {data['status']}"
        elif data.get("doNotPerform"):
            said = "it says not to give this"
        elif resource.kind == "Condition":
            status = {c.get("code") for c in (data.get("verificationStatus") or {}).get("coding") or ()}
            if ruled_out := status & {"refuted", "entered-in-error"}:
                said = f"its verification status is {ruled_out.pop()}"
        if said:
            self.leave_out(resource.label, self._words(resource), said)
        return bool(said)

    def _of_another(self, resource: Resource) -> bool:
        """Lists what is about somebody else than the bundle's patient."""
        subject = resource.data.get("subject")
        if self.patient is None or not isinstance(subject, Mapping) or "reference" not in subject:
            return False
        person = self.bundle.find(subject)
        if person is self.patient:
            return False
        self.leave_out(
            resource.label, self._words(resource), "is about somebody else than the patient of the file"
        )
        return True

    def _stay(
        self, resource: Resource, stays: Mapping[int, _Stay], ranks: Mapping[str, tuple[_Stay, int]]
    ) -> _Stay | None:
        """The encounter that a resource names, or else the one in whose time it falls."""
        reference = resource.data.get("encounter") or resource.data.get("context")
        named = self.bundle.find(reference)
        if named is not None and id(named) in stays:
            return stays[id(named)]
        if resource.label in ranks:
            return ranks[resource.label][0]
        why = "names an encounter that is not in the file, and" if reference else "names no encounter, and"
        when = span_of(resource.data).start
        if when is None:
            self.leave_out(
                resource.label, self._words(resource), f"{why} has no date to say which visit it belongs to"
            )
            return None
        holding = [stay for stay in stays.values() if stay.span.holds(when)]
        if len(holding) != 1:
            many = "falls into several encounters" if holding else "falls into no encounter"
            self.leave_out(resource.label, self._words(resource), f"{why} its date ({when.text}) {many}")
            return None
        return holding[0]

    def _code(self, resource: Resource, kind: Kind, stay: _Stay, rank: int) -> None:
        """Add a resource's code to a visit, or list why it has none."""
        answer = self._medication(resource) if kind == "medication" else self._icd(resource, kind)
        if isinstance(answer, Unresolved):
            self.leave_out(resource.label, self._words(resource), answer.reason)
            return
        for match in answer:
            stay.codes[kind].setdefault(match.code, rank)
            self.titles[match.code] = match.title

    def _icd(self, resource: Resource, kind: Kind) -> tuple[ResolvedCode, ...] | Unresolved:
        """The first ICD code of a concept that we know, the cohort's own version before the other."""
        codings = list(_codings(resource.data.get("code")))
        reasons: list[str] = []
        order = {f"icd{self.resolver.preferred}": 0}
        for system, code, _ in sorted(codings, key=lambda c: order.get(c[0], 1)):
            if system not in ("icd9", "icd10"):
                reasons.append(f"{fhir_terms.system_name(system)} is not mapped")
                continue
            answer = self.resolver.icd(code, kind, 9 if system == "icd9" else 10)
            if not isinstance(answer, Unresolved):
                return answer
            reasons.append(f"{code[:20]} {answer.reason}")
        return Unresolved("; ".join(dict.fromkeys(reasons)) or "has words but no code")

    def _medication(self, resource: Resource) -> tuple[ResolvedCode, ...] | Unresolved:
        """By ATC code, else by the drug's name and route."""
        data = resource.data
        concept = data.get("medicationCodeableConcept")
        if concept is None:
            named = self._contained(data) or self.bundle.find(data.get("medicationReference"))
            if named is None:
                reference = data.get("medicationReference") or {}
                if not reference.get("display"):
                    return Unresolved("its medication is not in the file")
                concept = {"text": reference["display"]}
            else:
                concept = (named.data if isinstance(named, Resource) else named).get("code")
        way = _route(data)
        reasons: list[str] = []
        names = [(concept or {}).get("text") or ""]
        for system, code, display in _codings(concept):
            if system == "atc":
                answer = self.resolver.atc(code)
                if not isinstance(answer, Unresolved):
                    return answer
                reasons.append(f"{code[:20]} {answer.reason}")
            else:
                reasons.append(f"{fhir_terms.system_name(system)} codes are not mapped")
            names.append(display)
        for name in dict.fromkeys(filter(None, names)):
            answer = self.resolver.drug(name[:300], way)
            if not isinstance(answer, Unresolved):
                return answer
            reasons.append(f"{name[:60]!r} {answer.reason}")
        return Unresolved("; ".join(dict.fromkeys(reasons)) or "names no medication")

    def _contained(self, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The Medication that a resource carries inside itself."""
        reference = (data.get("medicationReference") or {}).get("reference") or ""
        if not reference.startswith("#"):
            return None
        return next((c for c in data.get("contained") or () if c.get("id") == reference[1:]), None)

    def _words(self, resource: Resource) -> str:
        """What a resource is about, as it says itself."""
        concept = resource.data.get("medicationCodeableConcept") or resource.data.get("code") or {}
        codings = list(_codings(concept)) if isinstance(concept, Mapping) else []
        words = concept.get("text") if isinstance(concept, Mapping) else ""
        words = words or next((display for _, _, display in codings if display), "")
        code = codings[0][1] if codings else ""
        return " ".join(filter(None, (code[:40], str(words)[:120])))


def _codings(concept: object) -> Iterator[tuple[str, str, str]]:
    """(system that we read, or its URI; code; display) of each coding that has a code or a display."""
    for coding in (concept.get("coding") or ()) if isinstance(concept, Mapping) else ():
        uri = str(coding.get("system") or "")
        system = fhir_terms.SYSTEMS.get(uri.rstrip("/").lower(), uri)
        code, display = str(coding.get("code") or ""), str(coding.get("display") or "")
        if code or display:
            yield system, code, display


def _route(data: Mapping[str, Any]) -> str:
    """The route of a medication resource, as hospitals abbreviate it."""
    given = [*(data.get("dosageInstruction") or ())]
    dosage = data.get("dosage")
    given += dosage if isinstance(dosage, list) else [dosage] if dosage else []
    for item in given:
        concept = item.get("route") or {}
        codings: list[Mapping[str, Any]] = concept.get("coding") or [{}]
        for coding in codings:
            words = concept.get("text") or coding.get("display") or coding.get("code") or ""
            if route := fhir_terms.route(str(coding.get("code") or ""), str(words)):
                return route
    return ""
