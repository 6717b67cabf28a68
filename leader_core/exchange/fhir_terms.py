"""FHIR's terms in a cohort's: code systems by URI, a patient's attributes as one cohort writes them, dates and periods."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

SYSTEMS: Final[Mapping[str, str]] = {
    # diagnoses and procedures; ICD-9-CM has one URI for both, which the resource tells apart
    "http://hl7.org/fhir/sid/icd-9-cm": "icd9",
    "http://hl7.org/fhir/sid/icd-9-cm/diagnosis": "icd9",
    "http://hl7.org/fhir/sid/icd-9-cm/procedure": "icd9",
    "urn:oid:2.16.840.1.113883.6.103": "icd9",
    "urn:oid:2.16.840.1.113883.6.104": "icd9",
    "urn:oid:2.16.840.1.113883.6.2": "icd9",
    "http://mimic.mit.edu/fhir/mimic/codesystem/mimic-diagnosis-icd9": "icd9",
    "http://mimic.mit.edu/fhir/mimic/codesystem/mimic-procedure-icd9": "icd9",
    "http://hl7.org/fhir/sid/icd-10-cm": "icd10",
    "urn:oid:2.16.840.1.113883.6.90": "icd10",
    "http://hl7.org/fhir/sid/icd-10-pcs": "icd10",
    "http://www.cms.gov/medicare/coding/icd10": "icd10",
    "http://www.icd10data.com/icd10pcs": "icd10",
    "urn:oid:2.16.840.1.113883.6.4": "icd10",
    "http://mimic.mit.edu/fhir/mimic/codesystem/mimic-diagnosis-icd10": "icd10",
    "http://mimic.mit.edu/fhir/mimic/codesystem/mimic-procedure-icd10": "icd10",
    "http://www.whocc.no/atc": "atc",
    "urn:oid:2.16.840.1.113883.6.73": "atc",
    "http://fhir.de/codesystem/bfarm/atc": "atc",
    "http://fhir.de/codesystem/dimdi/atc": "atc",
    "http://hl7.org/fhir/sid/ndc": "ndc",
    "urn:oid:2.16.840.1.113883.6.69": "ndc",
    "http://mimic.mit.edu/fhir/mimic/codesystem/mimic-medication-ndc": "ndc",
    # names in place of the URI
    **dict.fromkeys(("icd9", "icd-9", "icd9cm", "icd-9-cm", "icd9pcs", "icd-9-pcs"), "icd9"),
    **dict.fromkeys(("icd10cm", "icd-10-cm", "icd10pcs", "icd-10-pcs"), "icd10"),
    "atc": "atc",
    "ndc": "ndc",
}
"""URI in lower case -> the system that we read."""

OTHER_SYSTEMS: Final[Mapping[str, str]] = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://www.ama-assn.org/go/cpt": "CPT",
    "urn:oid:2.16.840.1.113883.6.285": "HCPCS",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://loinc.org": "LOINC",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://fdasis.nlm.nih.gov": "UNII",
    "http://mimic.mit.edu/fhir/mimic/codesystem/mimic-medication-formulary-drug-cd": "formulary",
    "http://mimic.mit.edu/fhir/mimic/codesystem/mimic-d-items": "MIMIC item",
}
"""Systems that we know by name and have no mapping for."""
_OTHER_ICD10: Final = re.compile(r"icd-?10|2\.16\.840\.1\.113883\.6\.3$")
"""WHO's ICD-10 and national editions other than the ones that are read: their codes are like ICD-10-CM's, and not equal."""

ROUTES: Final[Mapping[str, str]] = {
    "26643006": "PO", "47625008": "IV", "34206005": "SC", "78421000": "IM", "447694001": "IH", "37161004": "PR",
    "45890007": "TD", "46713006": "NU", "54485002": "OU", "37839007": "SL", "6064005": "TP",
}  # fmt: skip
"""SNOMED CT routes -> as hospitals abbreviate them."""

_ROUTE_WORDS: Final = (
    ("intravenous", "IV"), ("subcutaneous", "SC"), ("intramuscular", "IM"), ("sublingual", "SL"), ("transdermal", "TD"),
    ("inhal", "IH"), ("ophthalmic", "OU"), ("nasal", "NU"), ("rectal", "PR"), ("topical", "TP"), ("mouth", "PO"),
    ("oral", "PO"),
)  # fmt: skip

_LANGUAGES: Final[Mapping[str, str]] = {
    "en": "English", "es": "Spanish", "ru": "Russian", "pt": "Portuguese", "zh": "Chinese", "yue": "Cantonese",
    "cmn": "Mandarin", "ht": "Haitian", "it": "Italian", "vi": "Vietnamese", "el": "Greek", "ar": "Arabic",
    "fa": "Persian", "km": "Cambodian", "pl": "Polish", "hi": "Hindi", "ko": "Korean", "sq": "Albanian", "fr": "French",
    "de": "German", "ja": "Japanese", "ase": "American Sign Language",
}  # fmt: skip
_MARITAL: Final[Mapping[str, tuple[str, ...]]] = {
    "M": ("married",), "S": ("single",), "D": ("divorced",), "A": ("separated", "divorced"), "I": ("married",),
    "L": ("separated",), "W": ("widowed",), "T": ("life partner",),
}  # fmt: skip
_COVERAGE: Final[Sequence[tuple[re.Pattern[str], tuple[str, ...]]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), values)
    for pattern, values in (
        (r"medicare", ("Medicare",)),
        (r"medicaid|mass ?health|chip\b", ("Medicaid",)),
        (r"self[- ]?pay|uninsured|no insurance", ("Self Pay", "No charge", "Other")),
        (r"tricare|veteran|\bva\b|government|public", ("Government", "Other")),
        (
            r"private|commercial|blue ?cross|\bhmo\b|\bppo\b|aetna|cigna|humana|united|anthem|managed",
            ("Private", "Other"),
        ),
    )
)
_PAYMENT_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "1": ("Medicare",), "2": ("Medicaid",), "3": ("Government", "Other"), "4": ("Government", "Other"),
    "5": ("Private", "Other"), "6": ("Private", "Other"), "8": ("Self Pay", "Other"), "9": ("Other",),
}  # fmt: skip
"""Source of Payment Typology, by its first digit."""
PAYMENT_TYPES: Final = ("https://nahdo.org/sopt", "urn:oid:2.16.840.1.113883.3.221.5")

_ETHNICITY: Final[Mapping[str, tuple[str, ...]]] = {
    "black or african american": ("BLACK/AFRICAN AMERICAN", "BLACK"),
    "african american": ("BLACK/AFRICAN AMERICAN", "BLACK"),
    "hispanic or latino": ("HISPANIC OR LATINO", "HISPANIC/LATINO", "HISPANIC"),
    "american indian or alaska native": ("AMERICAN INDIAN/ALASKA NATIVE",),
    "native hawaiian or other pacific islander": ("NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER",),
    "other race": ("OTHER",),
    "asked but unknown": ("UNABLE TO OBTAIN",),
}


def system_of(uri: str) -> str:
    """Which system a URI names: "icd9", "icd10", "atc", "ndc", "other icd10", or "" for others.

    >>> system_of("http://hl7.org/fhir/sid/icd-10-cm"), system_of("http://hl7.org/fhir/sid/icd-10")
    ('icd10', 'other icd10')
    """
    folded = _folded(uri)
    return SYSTEMS.get(folded) or ("other icd10" if _OTHER_ICD10.search(folded) else "")


def _folded(uri: str) -> str:
    """A URI as the tables have it, for it is written with https and in capitals too."""
    return re.sub("^https:", "http:", uri.rstrip("/").lower())


def known_system(uri: str) -> bool:
    """Whether a URI names a system that we know, mapped or not."""
    return bool(system_of(uri)) or _folded(uri) in OTHER_SYSTEMS


def system_name(uri: str) -> str:
    """A code system's name for people.

    >>> system_name("http://snomed.info/sct"), system_name("")
    ('SNOMED CT', 'no code system')
    """
    if system_of(uri) in ("other icd10", "ndc"):
        return "NDC" if system_of(uri) == "ndc" else "ICD-10 other than CM"
    return OTHER_SYSTEMS.get(_folded(uri), "another code system" if uri else "no code system")


def route(code: str, words: str) -> str:
    """A route as hospitals abbreviate it; the words themselves where none is known."""
    if code in ROUTES:
        return ROUTES[code]
    folded = words.casefold()
    return next((short for part, short in _ROUTE_WORDS if part in folded), words)


def marital(code: str, words: str, values: Iterable[str]) -> str | None:
    """Marital status as one of the cohort's values; None where none matches."""
    return pick((*_MARITAL.get(code.upper(), ()), words), values)


def language(code: str, words: str, values: Iterable[str]) -> str | None:
    """A language as one of the cohort's values: its name, or the four letters that MIMIC-III keeps of it.

    >>> language("en-US", "", ["ENGL", "SPAN"]), language("es", "", ["ENGLISH", "SPANISH"])
    ('ENGL', 'SPANISH')
    """
    name = _LANGUAGES.get(code.lower().split("-")[0], words)
    return pick((name, words, name[:4], words[:4]), values) if name or words else None


def insurance(code: str, words: str, values: Iterable[str], *, payment_type: bool) -> str | None:
    """Who pays, as one of the cohort's values."""
    wanted = _PAYMENT_TYPES.get(code[:1], ()) if payment_type else ()
    for pattern, meant in _COVERAGE:
        if pattern.search(words):
            wanted = (*wanted, *meant)
            break
    return pick((*wanted, words), values)


def ethnicity(names: Iterable[str], values: Iterable[str]) -> str | None:
    """Race or ethnicity as one of the cohort's values; the first name that matches."""
    have = tuple(values)
    for name in names:
        if (value := pick((name, *_ETHNICITY.get(name.casefold(), ())), have)) is not None:
            return value
    return None


def pick(wanted: Iterable[str], values: Iterable[str]) -> str | None:
    """The first of the wanted words that is one of the values, whatever its case and punctuation."""
    folded = {_fold(value): value for value in values}
    return next((folded[_fold(word)] for word in wanted if word and _fold(word) in folded), None)


def _fold(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.casefold()).strip()


_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)([T ].+)?)?)?")
_MOMENTS: Final = (
    "performedDateTime authoredOn effectiveDateTime recordedDate onsetDateTime dateAsserted".split()
)
_PERIODS: Final = ("period", "performedPeriod", "effectivePeriod", "onsetPeriod")


@dataclass(frozen=True, slots=True)
class When:
    """A moment, or a day, month or year where no more is known."""

    text: str
    local: datetime  # wall-clock time where it was written, without a zone; the start of a day, month or year
    until: datetime  # the same; the last moment of the day, month or year
    instant: float  # seconds since 1970, to order by


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when; None where it is not said."""

    start: When | None
    end: When | None
    lasting: bool = False  # it has begun and not ended

    def holds(self, when: When) -> bool:
        """Whether a moment falls into it, by calendar days: a stay is open on its first and last day."""
        if self.start is None:
            return False
        end = self.end or self.start
        if self.lasting:
            return self.start.local.date() <= when.until.date()
        return self.start.local.date() <= when.until.date() and when.local.date() <= end.until.date()


def span_of(data: Mapping[str, Any]) -> Span:
    """When a resource took place: its period, else its moment."""
    for name in _PERIODS:
        period = data.get(name)
        if isinstance(period, Mapping) and (period.get("start") or period.get("end")):
            return Span(read_when(period.get("start")), read_when(period.get("end")))
    for name in _MOMENTS:
        if (when := read_when(data.get(name))) is not None:
            return Span(when, None)
    return Span(None, None)


def read_when(value: object) -> When | None:
    """A FHIR date or dateTime; None for anything else.

    >>> read_when("2119-03").local, read_when("2119-03-07T23:30:00-05:00").local
    (datetime.datetime(2119, 3, 1, 0, 0), datetime.datetime(2119, 3, 7, 23, 30))
    >>> read_when("soon") is None
    True
    """
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not isinstance(value, str):
        return None
    year, month, day, time = match.groups()
    try:
        if time:
            moment = datetime.fromisoformat(value)
            local = moment.replace(tzinfo=None)
            instant = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            return When(value, local, local, instant)
        first = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        days = 1 if day else calendar.monthrange(first.year, first.month)[1] if month else 365
        until = first + timedelta(days=days, seconds=-1)
    except (ValueError, OverflowError):
        return None
    return When(value, first.replace(tzinfo=None), until.replace(tzinfo=None), first.timestamp())
