"""What is not R4 in JSON, as R4 in JSON: the names of R5, STU3 and DSTU2 that mean the same, and XML.

Documents in XML that declare types or entities are refused, so that nothing is expanded or fetched; the printed narrative is
left out. Sources: the "R3 Diff", "R4 Diff" and "Conversions" pages of each resource, "XML Representation" and "JSON
Representation" at hl7.org/fhir.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat

from leader_core.errors import InputError
from leader_core.exchange.strict_json import DEEPEST

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


FHIR: Final = "http://hl7.org/fhir"
_SEPARATOR: Final = " "  # between namespace and name, as expat gives them
_LISTS: Final = frozenset(("entry", "parameter", "contained", "extension", "coding"))
"""Lists of which one alone must be a list as well; of others one alone means the same."""
_FLAGS: Final = frozenset(
    "doNotPerform notDone notPerformed notGiven wasNotGiven wasNotTaken reported reportedBoolean preferred".split()
)
"""Elements that JSON writes as true or false."""
_MOST_DIGITS: Final = 10


def read_xml(data: bytes, what: str) -> Any:
    """The JSON value that a FHIR document in XML stands for.

    Args:
        data: the file as it came.
        what: names it in errors ("The FHIR file").

    Raises:
        InputError: no well-formed XML, no FHIR, too deep, or with a document type or entities.
    """
    builder = _TreeBuilder(what)
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse_type
    parser.EntityDeclHandler = builder.refuse_type
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise InputError(
            f"{what} is no well-formed XML ({expat.ErrorString(error.code)}, line {error.lineno:,}, column "
            f"{error.offset + 1:,}). Export it again."
        ) from None
    except (
        LookupError,
        ValueError,
    ):  # of the decoder: no encoding of this name, or one of several bytes a letter
        raise InputError(f"{what} declares an encoding that is not read. Save it in UTF-8.") from None
    return builder.root


class _Element:
    """An element that is being read."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.text = attributes.get("value")
        self.parts: dict[str, Any] = {key: attributes[key] for key in ("id", "url") if key in attributes}

    def value(self) -> Any:
        """Its own value as JSON writes it, or the object of its parts; None where there is nothing."""
        if self.text is None:
            return self.parts or None
        if self.name in _FLAGS and self.text in ("true", "false"):
            return self.text == "true"
        if self.name == "rank" and self.text.isdecimal() and len(self.text) < _MOST_DIGITS:
            return int(self.text)
        return self.text

    def put(self, name: str, value: Any) -> None:
        """Add a part; what repeats is a list."""
        before = self.parts.get(name)
        if before is None:
            self.parts[name] = [value] if name in _LISTS else value
        elif isinstance(before, list):
            before.append(value)
        else:
            self.parts[name] = [before, value]


class _TreeBuilder:
    """Builds the value while the document is read."""

    def __init__(self, what: str) -> None:
        self.root: dict[str, Any] = {}
        self._what = what
        self._open: list[_Element] = []  # the elements around
        self._foreign = 0  # depth inside something that is not FHIR's, as the narrative in XHTML

    def refuse_type(self, *_: object) -> None:
        raise InputError(
            f"{self._what} declares a document type or entities, which FHIR forbids in XML. Export it again without them."
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(_SEPARATOR)
        if self._foreign or namespace != FHIR:
            if not self._open:
                raise InputError(
                    f"{self._what} is XML, but not FHIR. Export it as FHIR R4 in JSON, NDJSON or XML."
                )
            self._foreign += 1
        elif len(self._open) >= DEEPEST:
            raise InputError(
                f"{self._what} nests more than {DEEPEST} levels deep: no FHIR resource does. Check where it comes from."
            )
        else:
            self._open.append(_Element(name, attributes))

    def end(self, _: str) -> None:
        if self._foreign:
            self._foreign -= 1
            return
        element = self._open.pop()
        resource = element.name[:1].isupper()
        if resource:
            element.parts = {"resourceType": element.name, **element.parts}
        if not self._open:
            self.root = element.parts
        elif resource:  # the only element of the one around it, which is its name in JSON
            self._open[-1].parts = element.parts
        elif (value := element.value()) is not None:
            self._open[-1].put(element.name, value)
