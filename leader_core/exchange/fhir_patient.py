"""A case's profile from FHIR: Patient, Coverage and Encounter to the values that one cohort has.

What no value of the cohort matches is listed, and the field stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from leader_core.domain import UNKNOWN, age_band
from leader_core.exchange import fhir_terms
from leader_core.exchange.fhir_file import Listed, Resource, codings, items, word, words_of
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
_NO_ETHNICITY: Final = ("not hispanic or latino", "non hispanic or latino", "unknown")
_NOT_SAID: Final = ("UNK", "NI", "NASK", "NULL")


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
        status = word(coverage.data.get("status"))
        if status in ("cancelled", "draft", "entered-in-error"):
            listed.append(Listed(coverage.label, "", f"its status is {status}"))
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
    gender = word(patient.data.get("gender"))
    if gender in ("female", "male"):
        attributes["gender"] = "F" if gender == "female" else "M"
    elif gender:
        listed.append(Listed(patient.label, gender[:60], "gender is neither female nor male; left unknown"))
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
    spoken = sorted(
        items(patient.data.get("communication")), key=lambda item: item.get("preferred") is not True
    )
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
    races = [name for name in races if name.casefold() not in _NO_ETHNICITY]
    keep(patient, "ethnicity", ", ".join(races), lambda have: fhir_terms.ethnicity(races, have))


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


def _extension(data: Mapping[str, Any], name: str) -> Iterator[tuple[str, str, str]]:
    """What an extension of this name says, the specific parts of a US Core one before the general."""
    for extension in items(data.get("extension")):
        if not word(extension.get("url")).endswith(f"/{name}"):
            continue
        parts = items(extension.get("extension"))
        for wanted in ("detailed", "ombCategory", "text"):
            for part in parts:
                if part.get("url") == wanted:
                    yield from _concept({"coding": part.get("valueCoding"), "text": part.get("valueString")})
        yield from _concept(extension.get("valueCodeableConcept"))
