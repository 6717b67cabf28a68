"""A case's profile from FHIR: Patient, Coverage and Encounter to the values that one cohort has.

What no value of the cohort matches is listed, and the field stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from leader_core.domain import UNKNOWN, age_band
from leader_core.exchange import fhir_terms
from leader_core.exchange.fhir_bundle import Listed, Resource
from leader_core.exchange.fhir_terms import read_when
from leader_core.exchange.resolve import CodeBook

_RACE: Final = "us-core-race"
_ETHNICITY: Final = "us-core-ethnicity"
_RELIGION: Final = "patient-religion"
_PRIORITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "EM": ("EMERGENCY", "EW EMER.", "DIRECT EMER."),
    "UR": ("URGENT",),
    "EL": ("ELECTIVE",),
}
_OLDEST: Final = 130


class ProfileBook(CodeBook, Protocol):
    """What a whole case needs of a cohort; `Cohort` satisfies it."""

    @property
    def profile_fields(self) -> tuple[str, ...]:
        """The fields this cohort records."""

    def profile_values(self, field: str) -> list[str]:
        """The values a field has in the training split."""


def read_profile(
    patient: Resource | None,
    coverages: Sequence[Resource],
    encounter: Resource | None,
    admitted: datetime | None,
    cohort: ProfileBook,
) -> tuple[dict[str, str], list[Listed]]:
    """The profile at the current encounter, and what could not be read of it."""
    attributes: dict[str, str] = {}
    listed: list[Listed] = []

    def values(name: str) -> list[str]:
        return [v for v in cohort.profile_values(name) if v != UNKNOWN]

    def keep(resource: Resource, name: str, said: str, read: Callable[[list[str]], str | None]) -> None:
        """Read one field, where the cohort records it and the resource says something."""
        if name not in cohort.profile_fields or not said:
            return
        if (value := read(values(name))) is None:
            reason = f"{name.replace('_', ' ')} is none of this cohort's values; left unknown"
            listed.append(Listed(resource.label, said[:120], reason))
        else:
            attributes.setdefault(name, value)

    if patient is not None:
        _person(patient, admitted, attributes, listed)
        _attributes(patient, keep)
    for coverage in coverages:
        if coverage.data.get("status") in ("cancelled", "draft", "entered-in-error"):
            listed.append(Listed(coverage.label, "", f"its status is {coverage.data['status']}"))
            continue
        code, words, typed = _payer(coverage.data)
        keep(
            coverage, "insurance", words or code,
            lambda have, c=code, w=words, t=typed: fhir_terms.insurance(c, w, have, payment_type=t),  # type: ignore[misc]
        )  # fmt: skip
    if encounter is not None:
        for _, code, words in _concept(encounter.data.get("priority")):
            keep(
                encounter, "admission_type", words or code,
                lambda have, c=code, w=words: fhir_terms.pick((*_PRIORITIES.get(c, ()), w), have),  # type: ignore[misc]
            )  # fmt: skip
    return attributes, listed


def _person(
    patient: Resource, admitted: datetime | None, attributes: dict[str, str], listed: list[Listed]
) -> None:
    """Gender, and age band at the current encounter."""
    gender = patient.data.get("gender")
    if gender in ("female", "male"):
        attributes["gender"] = "F" if gender == "female" else "M"
    elif gender:
        listed.append(Listed(patient.label, str(gender), "gender is neither female nor male; left unknown"))
    born = read_when(patient.data.get("birthDate"))
    if born is None:
        return
    if admitted is None:
        listed.append(
            Listed(
                patient.label,
                born.text,
                "the current encounter has no date to compute the age from; left unknown",
            )
        )
        return
    day = (admitted.month, admitted.day) < (born.local.month, born.local.day)
    age = admitted.year - born.local.year - day
    if 0 <= age <= _OLDEST:
        attributes["age_band"] = age_band(age)
    else:
        listed.append(
            Listed(patient.label, born.text, f"an age of {age} years is beyond belief; left unknown")
        )


def _attributes(patient: Resource, keep: Callable[..., None]) -> None:
    """Marital status, language, religion, race and ethnicity."""
    for _, code, words in _concept(patient.data.get("maritalStatus")):
        keep(
            patient,
            "marital_status",
            words or code,
            lambda have, c=code, w=words: fhir_terms.marital(c, w, have),
        )
        break
    spoken = sorted(patient.data.get("communication") or (), key=lambda item: not item.get("preferred"))
    for item in spoken[:1]:
        for _, code, words in _concept(item.get("language")):
            keep(
                patient,
                "language",
                words or code,
                lambda have, c=code, w=words: fhir_terms.language(c, w, have),
            )
            break
    religions = [words or code for _, code, words in _extension(patient.data, _RELIGION)]
    keep(patient, "religion", ", ".join(religions), lambda have: fhir_terms.pick(religions, have))
    races = [
        words or code for name in (_ETHNICITY, _RACE) for _, code, words in _extension(patient.data, name)
    ]
    races = [
        name for name in races if name.casefold() not in ("not hispanic or latino", "non hispanic or latino")
    ]
    keep(patient, "ethnicity", ", ".join(races), lambda have: fhir_terms.ethnicity(races, have))


def _payer(data: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Code, words and whether the code is a payment type."""
    concept = list(_concept(data.get("type")))
    payors = [str(item.get("display") or "") for item in data.get("payor") or ()]
    words = " ".join(filter(None, [*(words for _, _, words in concept), *payors]))
    typed = next((code for system, code, _ in concept if system.rstrip("/") in fhir_terms.PAYMENT_TYPES), "")
    return typed or next((code for _, code, _ in concept), ""), words, bool(typed)


def _concept(concept: object) -> Iterator[tuple[str, str, str]]:
    """(system, code, words) of each coding; of the text alone where there is no coding."""
    if not isinstance(concept, Mapping):
        return
    text = str(concept.get("text") or "")
    codings = concept.get("coding") or ()
    for coding in codings:
        words = str(coding.get("display") or text)
        yield str(coding.get("system") or ""), str(coding.get("code") or ""), words
    if not codings and text:
        yield "", "", text


def _extension(data: Mapping[str, Any], name: str) -> Iterator[tuple[str, str, str]]:
    """What an extension of this name says, the specific parts of a US Core one before the general."""
    for extension in data.get("extension") or ():
        if not str(extension.get("url") or "").endswith(f"/{name}"):
            continue
        parts = extension.get("extension") or ()
        for wanted in ("detailed", "ombCategory", "text"):
            for part in parts:
                if part.get("url") == wanted:
                    coding = part.get("valueCoding") or {}
                    words = str(coding.get("display") or part.get("valueString") or "")
                    yield str(coding.get("system") or ""), str(coding.get("code") or ""), words
        yield from _concept(extension.get("valueCodeableConcept"))
