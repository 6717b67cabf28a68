"""FHIR R5, STU3 and DSTU2 under R4's names: fields and types that were renamed and mean the same.

Sources: the "R3 Diff", "R4 Diff" and "Conversions" pages of each resource at hl7.org/fhir.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "MedicationOrder": ("MedicationRequest", "DSTU2"),
    "MedicationPrescription": ("MedicationRequest", "DSTU2"),
    "MedicationUsage": ("MedicationStatement", "R5"),
}
_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "patient": ("subject", "DSTU2"),
    "context": ("encounter", ""),  # R4 itself says context for statements and administrations
    "actualPeriod": ("period", "R5"),
    "admission": ("hospitalization", "R5"),
    "dateRecorded": ("recordedDate", "DSTU2"),
    "assertedDate": ("recordedDate", "STU3"),
    "dateWritten": ("authoredOn", "DSTU2"),
    "occurrenceDateTime": ("performedDateTime", "R5"),
    "occurrencePeriod": ("performedPeriod", "R5"),
    "occurenceDateTime": ("effectiveDateTime", "R5"),
    "occurencePeriod": ("effectivePeriod", "R5"),
    "effectiveTimeDateTime": ("effectiveDateTime", "DSTU2"),
    "effectiveTimePeriod": ("effectivePeriod", "DSTU2"),
    "reported": ("reportedBoolean", "R5"),
}
"""As written -> as R4 says, and the version that wrote so (empty: R4 too)."""
_NEGATED: Final[Mapping[str, tuple[str, str]]] = {
    "notDone": ("not-done", "STU3"),
    "notPerformed": ("not-done", "DSTU2"),
    "notGiven": ("not-done", "STU3"),
    "wasNotGiven": ("not-done", "DSTU2"),
    "wasNotTaken": ("not-taken", "DSTU2"),
}
"""Flag that says it did not happen -> R4's status for that."""
_REFERENCES: Final = ("subject", "encounter", "partOf", "medicationReference")
_WORDS: Final = ("status", "intent")
_STATUSES: Final[Mapping[str, Mapping[str, str]]] = {
    "Encounter": {"completed": "finished", "discharged": "finished", "discontinued": "finished"},
    "MedicationStatement": {"recorded": "active"},
}
"""Statuses of R5 -> R4."""


def as_r4(raw: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], str]:
    """(resource type, resource, version) with R4's names; the version is empty for R4.

    >>> as_r4({"resourceType": "MedicationOrder", "patient": {}})
    ('MedicationRequest', {'resourceType': 'MedicationOrder', 'subject': {}}, 'DSTU2')
    """
    written = str(raw.get("resourceType"))
    kind, version = _TYPES.get(written, (written, ""))
    data: dict[str, Any] = {}
    for name, value in raw.items():
        renamed, since = _FIELDS.get(name, (name, "")) if kind != "Coverage" else (name, "")
        if renamed not in raw:
            data[renamed] = value
            version = version or since
        elif renamed == name:
            data[name] = value
    for name in _REFERENCES:  # which some programs write as text alone
        if isinstance(data.get(name), str):
            data[name] = {"reference": data[name]}
    for name in _WORDS:  # "CANCELLED" is no less cancelled
        if isinstance(data.get(name), str):
            data[name] = data[name].strip().lower()
    for name, (status, since) in _NEGATED.items():
        if raw.get(name) is True:
            data["status"], version = status, version or since
    if raw.get("taken") in ("n", "unk"):  # STU3
        data["status"], version = "not-taken" if raw["taken"] == "n" else "unknown", version or "STU3"
    stated = data.get("status")
    if isinstance(stated, str) and stated in _STATUSES.get(kind, {}):
        data["status"], version = _STATUSES[kind][stated], version or "R5"
    if any(str(code).startswith(("not-taking", "stopped")) for code in _adherence(raw)):  # R5
        data["status"] = "not-taken"
    version = _concepts(kind, data) or version
    return kind, data, version


def _adherence(raw: Mapping[str, Any]) -> list[object]:
    adherence = raw.get("adherence")
    concept = adherence.get("code") if isinstance(adherence, Mapping) else None
    listed = concept.get("coding") if isinstance(concept, Mapping) else None
    return (
        [item.get("code") for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    )


def _concepts(kind: str, data: dict[str, Any]) -> str:
    """Concepts that another version writes otherwise, in place; the version."""
    version = ""
    medication = data.get("medication")
    if isinstance(medication, Mapping):  # R5's CodeableReference
        version = "R5"
        for written, name in (("concept", "medicationCodeableConcept"), ("reference", "medicationReference")):
            if medication.get(written) is not None:
                data.setdefault(name, medication[written])
    for name in ("clinicalStatus", "verificationStatus"):
        if isinstance(data.get(name), str):
            data[name] = {"coding": [{"code": data[name]}]}
            version = version or "STU3"
    if kind == "Encounter" and isinstance(data.get("class"), str):
        data["class"] = {"code": data["class"]}
        version = "DSTU2"
    elif kind == "Encounter" and isinstance(data.get("class"), list):
        version = version or "R5"
    return version
