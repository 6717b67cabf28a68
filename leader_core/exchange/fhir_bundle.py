"""A FHIR R4 Bundle as it came, checked: which resources it holds, which are malformed, and who refers to whom.

References are looked up inside the bundle only; none is ever fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from leader_core.errors import InputError
from leader_core.exchange.strict_json import read_json

if TYPE_CHECKING:
    from pydantic import ValidationError

LARGEST: Final = 20_000_000
"""Bytes."""
MOST_ENTRIES: Final = 5_000
READ: Final = (
    "Patient",
    "Encounter",
    "Condition",
    "Procedure",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "Medication",
    "Coverage",
)
"""Resource types that bear on a case; others are counted and left alone."""
WHAT: Final = "The FHIR file"


@dataclass(frozen=True, slots=True)
class Listed:
    """Something of the bundle that the case does not hold, and why."""

    resource: str  # "Condition/c1", or "entry 12 (Condition)" where it has no id
    code: str  # what it is about, as far as it says
    reason: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that is well-formed."""

    kind: str
    label: str
    data: Mapping[str, Any]
    position: int


@dataclass(slots=True)
class Bundle:
    """What was read of a bundle."""

    resources: dict[str, list[Resource]] = field(default_factory=lambda: {kind: [] for kind in READ})
    listed: list[Listed] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)  # resource type -> how many
    _by_reference: dict[str, Resource] = field(default_factory=dict)

    def find(self, reference: object) -> Resource | None:
        """The resource of this bundle that a Reference names; None for another, which is not fetched."""
        text = reference.get("reference") if isinstance(reference, Mapping) else None
        if not isinstance(text, str):
            return None
        text = text.split("/_history/")[0]
        return self._by_reference.get(text) or self._by_reference.get("/".join(text.split("/")[-2:]))


def read_bundle(data: bytes) -> Bundle:
    """A bundle from the bytes of a file.

    Raises:
        InputError: one sentence: too large, no JSON, no Bundle, too many entries, nothing to read.
    """
    record = read_json(data, WHAT, LARGEST)
    kind = record.get("resourceType") if isinstance(record, dict) else None
    if kind != "Bundle":
        raise InputError(
            f"{WHAT} holds {'a ' + repr(kind)[:40] if kind else 'no FHIR resource'}: expected a Bundle in JSON, "
            "with the patient's encounters, conditions and medications."
        )
    entries = record.get("entry") or []
    if not isinstance(entries, list):
        raise InputError(f"{WHAT} is malformed: its entry is no list. Export it again.")
    if len(entries) > MOST_ENTRIES:
        raise InputError(
            f"{WHAT} has {len(entries):,} entries: expected at most {MOST_ENTRIES:,}. Export one patient, without "
            "observations and documents."
        )
    bundle = Bundle()
    for position, entry in enumerate(entries, 1):
        _add(bundle, position, entry)
    if not any(bundle.resources[kind] for kind in READ):
        said = bundle.listed[0].reason if bundle.listed else "it has no resource that bears on a case"
        raise InputError(f"{WHAT} has nothing to read: {said}.")
    return bundle


def _add(bundle: Bundle, position: int, entry: object) -> None:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(entry, dict) or not isinstance(resource, dict) or not isinstance(kind, str):
        bundle.listed.append(Listed(f"entry {position}", "", "holds no resource"))
        return
    if kind not in READ:
        bundle.ignored[kind[:60]] += 1
        return
    identity = resource.get("id")
    label = f"{kind}/{identity[:64]}" if isinstance(identity, str) else f"entry {position} ({kind})"
    if problem := _problem(kind, resource):
        bundle.listed.append(Listed(label, _about(resource), f"malformed: {problem}"))
        return
    checked = Resource(kind, label, resource, position)
    bundle.resources[kind].append(checked)
    names = [f"{kind}/{identity}"] if isinstance(identity, str) else []
    if isinstance(entry.get("fullUrl"), str):
        names.append(entry["fullUrl"])
    for name in names:
        bundle._by_reference.setdefault(name, checked)


def _problem(kind: str, resource: dict[str, Any]) -> str:
    """What FHIR R4 has against a resource, in words; empty where nothing. (R4B is R4 for all that is read here.)"""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as error:
        return _said(error)
    except (ValueError, TypeError, RecursionError) as error:
        return str(error)[:120] or type(error).__name__
    return ""


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = error.error_count() - 1
    # A pattern is for programs, and says the wrong thing when its capitals are lowered.
    message = (
        "has not the form that FHIR asks for" if "pattern" in first["type"] else _lowered(first["msg"])[:120]
    )
    return f"{where or 'resource'}: {message}" + (f", and {more} more" if more else "")


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _about(resource: Mapping[str, Any]) -> str:
    """The words of a resource that may be malformed, for the list."""
    code = resource.get("code") or resource.get("medicationCodeableConcept")
    if not isinstance(code, Mapping):
        return ""
    if isinstance(code.get("text"), str):
        return str(code["text"])[:120]
    codings = code.get("coding")
    first = codings[0] if isinstance(codings, list) and codings else None
    return str(first.get("code") or first.get("display") or "")[:120] if isinstance(first, Mapping) else ""
