"""Whose resources a FHIR file holds, and the patient's profile: Patient, Coverage and Encounter to the values of one cohort.

Of several patients one is chosen; the others are left alone and counted. What no value of the cohort matches is listed, and
the field stays unknown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from leader_core.domain import UNKNOWN, age_band
from leader_core.errors import InputError
from leader_core.exchange import fhir_terms
from leader_core.exchange.fhir_file import (
    WHAT,
    FhirFile,
    Listed,
    Resource,
    codings,
    items,
    untrue,
    word,
    words_of,
)
from leader_core.exchange.fhir_terms import read_when

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

_SUBJECTS: Final = ("subject", "beneficiary", "patient")
_WITHOUT: Final = ("Patient", "Medication")
"""Resource types that are about nobody else."""


@dataclass(frozen=True, slots=True)
class PatientChoice:
    """A patient that the file offers."""

    label: str  # "Patient/p1"
    gender: str  # as written; empty where it is not
    born: str
    resources: int  # encounters, conditions, procedures and medications


@dataclass(frozen=True, slots=True)
class ChosenPatient:
    """Whose case is read."""

    resource: Resource | None  # None where the file has no Patient of them
    label: str = ""  # empty for the only one
    choices: tuple[PatientChoice, ...] = ()  # all of a file with several
    note: str = ""


def choose_patient(file: FhirFile, wanted: str | None) -> ChosenPatient:
    """Leave only one patient's resources in the file; by default the first who has any encounter or condition.

    A file of one patient is left as it is.

    Raises:
        InputError: no such patient in the file.
    """
    patients = file.resources["Patient"]
    owners = {
        id(each): _owner(file, each)
        for kind, resources in file.resources.items()
        if kind not in _WITHOUT
        for each in resources
    }
    labels = dict.fromkeys(each.label for each in patients) or dict.fromkeys(filter(None, owners.values()))
    if len(labels) < 2:
        return ChosenPatient(patients[0] if patients else None)
    numbers = Counter(owners.values())
    by_label = {each.label: each.data for each in patients}
    described = ((label, by_label.get(label, {})) for label in labels)
    choices = tuple(
        PatientChoice(label, word(data.get("gender"))[:20], word(data.get("birthDate"))[:10], numbers[label])
        for label, data in described
    )
    label = wanted or _first_patient(file, owners, labels)
    if label not in labels:
        raise InputError(f"{WHAT} has no patient {label[:60]!r}: choose one of {', '.join(labels)}."[:300])
    others = sum(numbers[each] for each in labels if each != label)
    for kind, resources in file.resources.items():
        if kind not in _WITHOUT:
            for each in resources:
                if not owners[id(each)]:
                    file.leave_out(each.label, "", f"names no patient, of whom the file has {len(labels)}")
            file.resources[kind] = [each for each in resources if owners[id(each)] == label]
    note = (
        f"The file holds {len(labels):,} patients; this is {label}. Left alone are {others:,} encounters, conditions, "
        "procedures and medications of the others."
    )
    return ChosenPatient(next((each for each in patients if each.label == label), None), label, choices, note)


def _owner(file: FhirFile, resource: Resource) -> str:
    """The label of whom a resource is about; the reference itself where that patient is not in the file; "" for nobody."""
    subject = next((each for name in _SUBJECTS for each in items(resource.data.get(name))), None)
    if subject is None:
        return ""
    patient = file.find(subject)
    if patient is not None:
        return patient.label
    reference = word(subject.get("reference"))
    return "" if reference.startswith("#") else "/".join(reference.split("/")[-2:])


def _first_patient(file: FhirFile, owners: Mapping[int, str], labels: Mapping[str, None]) -> str:
    with_visits = {owners[id(each)] for kind in ("Encounter", "Condition") for each in file.resources[kind]}
    return next((label for label in labels if label in with_visits), next(iter(labels)))


_PRIORITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "EM": ("EMERGENCY", "EW EMER.", "DIRECT EMER."),
    "UR": ("URGENT",),
    "EL": ("ELECTIVE",),
}
_OLDEST: Final = 130
_NO_ETHNICITY: Final = ("not hispanic or latino", "non hispanic or latino", "unknown")
_NOT_SAID: Final = ("UNK", "NI", "NASK", "NULL")


def read_profile(
    patient: Resource | None,
    coverages: Sequence[Resource],
    encounter: Resource | None,
    admitted: datetime | None,
    cohort: Cohort,
) -> tuple[dict[str, str], list[Listed]]:
    """The profile at the current encounter, and what could not be read of it."""
    attributes: dict[str, str] = {}
    listed: list[Listed] = []
    have = {
        name: [value for value in cohort.profile_values(name) if value != UNKNOWN]
        for name in cohort.profile_fields
    }
    values = defaultdict(list, have)

    def keep(resource: Resource, name: str, said: str, value: str | None) -> None:
        """Take the value that a field has by what a resource says, where the cohort records the field."""
        if name in have and said and value is None:
            reason = f"{name.replace('_', ' ')} is none of this cohort's values; left unknown"
            listed.append(Listed(resource.label, said[:120], reason))
        elif value is not None:
            attributes.setdefault(name, value)

    if patient is not None:
        data = patient.data
        _person(patient, admitted, attributes, listed)
        for code, words in _first(data.get("maritalStatus")):
            status = fhir_terms.marital(code, words, values["marital_status"])
            keep(patient, "marital_status", words or code, status)
        spoken = sorted(items(data.get("communication")), key=lambda item: item.get("preferred") is not True)
        for code, words in _first(spoken[0].get("language")) if spoken else ():
            keep(patient, "language", words or code, fhir_terms.language(code, words, values["language"]))
        religions = _extension(data, "patient-religion")
        keep(patient, "religion", ", ".join(religions), fhir_terms.pick(religions, values["religion"]))
        races = [
            name
            for name in (*_extension(data, "us-core-ethnicity"), *_extension(data, "us-core-race"))
            if name.casefold() not in _NO_ETHNICITY
        ]
        keep(patient, "ethnicity", ", ".join(races), fhir_terms.ethnicity(races, values["ethnicity"]))
    for coverage in coverages:
        if reason := untrue(coverage):
            listed.append(Listed(coverage.label, "", reason))
            continue
        code, words, typed = _payer(coverage.data)
        payer = fhir_terms.insurance(code, words, values["insurance"], payment_type=typed)
        keep(coverage, "insurance", words or code, payer)
    if encounter is not None:
        for _, code, words in _concept(encounter.data.get("priority")):
            kind = fhir_terms.pick((*_PRIORITIES.get(code, ()), words), values["admission_type"])
            keep(encounter, "admission_type", words or code, kind)
    return attributes, listed


def _person(
    patient: Resource, admitted: datetime | None, attributes: dict[str, str], listed: list[Listed]
) -> None:
    """Gender, and age band at the current encounter."""

    def leave_unknown(said: str, reason: str) -> None:
        listed.append(Listed(patient.label, said[:60], f"{reason}; left unknown"))

    gender = word(patient.data.get("gender"))
    if gender in ("female", "male"):
        attributes["gender"] = "F" if gender == "female" else "M"
    elif gender:
        leave_unknown(gender, "gender is neither female nor male")
    born = read_when(patient.data.get("birthDate"))
    if born is None:
        return
    if admitted is None:
        leave_unknown(born.text, "the current encounter has no date to compute the age from")
        return
    age = (
        admitted.year
        - born.local.year
        - ((admitted.month, admitted.day) < (born.local.month, born.local.day))
    )
    if 0 <= age <= _OLDEST:
        attributes["age_band"] = age_band(age)
    else:
        leave_unknown(born.text, f"an age of {age} years is beyond belief")


def _payer(data: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Code, words and whether the code is a payment type."""
    concept = list(_concept(data.get("type")))
    payors = [word(item.get("display")) for item in items(data.get("payor"))]
    words = " ".join(filter(None, [*(words for _, _, words in concept), *payors]))
    typed = next((code for system, code, _ in concept if system.rstrip("/") in fhir_terms.PAYMENT_TYPES), "")
    return typed or next((code for _, code, _ in concept), ""), words, bool(typed)


def _concept(concept: object) -> Iterator[tuple[str, str, str]]:
    """(system, code, words) of each coding; of the text alone where there is no coding. Nothing where it is unknown."""
    texts = words_of(concept)
    listed = list(codings(concept)) or [("", "", text) for text in texts[:1]]
    for system, code, display in listed:
        if code.upper() not in _NOT_SAID:
            yield system, code, display or (texts[0] if texts else "")


def _first(concept: object) -> list[tuple[str, str]]:
    """(code, words) of the first coding of a concept; nothing where it is unknown."""
    return [(code, words) for _, code, words in _concept(concept)][:1]


def _extension(data: Mapping[str, Any], name: str) -> list[str]:
    """What an extension of this name says, the specific parts of a US Core one before the general."""
    concepts: list[object] = []
    for extension in items(data.get("extension")):
        if word(extension.get("url")).endswith(f"/{name}"):
            parts = items(extension.get("extension"))
            concepts += [
                {"coding": part.get("valueCoding"), "text": part.get("valueString")}
                for wanted in ("detailed", "ombCategory", "text")
                for part in parts
                if part.get("url") == wanted
            ]
            concepts.append(extension.get("valueCodeableConcept"))
    return [words or code for concept in concepts for _, code, words in _concept(concept)]
