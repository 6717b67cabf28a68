"""Whose resources a FHIR file holds: of several patients one is chosen, and the others are left alone and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leader_core.errors import InputError
from leader_core.exchange.fhir_file import WHAT, FhirFile, Resource, items, word

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
    label = wanted or _first(file, owners, labels)
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


def _first(file: FhirFile, owners: Mapping[int, str], labels: Mapping[str, None]) -> str:
    with_visits = {owners[id(each)] for kind in ("Encounter", "Condition") for each in file.resources[kind]}
    return next((label for label in labels if label in with_visits), next(iter(labels)))
