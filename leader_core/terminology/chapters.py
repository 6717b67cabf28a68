"""Where an ICD code stands: its chapter in plain words, and the broader code above it.

ICD-9 and ICD-10 share one set of chapter names, so that a mixed cohort can be grouped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

UNCLASSIFIED: Final = "Not classified"

_INFECTIONS: Final = "Infections"
_NEOPLASMS: Final = "Neoplasms"
_ENDOCRINE: Final = "Endocrine, nutritional and metabolic"
_BLOOD: Final = "Blood and immune system"
_MENTAL: Final = "Mental and behavioural"
_NERVOUS: Final = "Nervous system"
_EYE: Final = "Eye"
_EAR: Final = "Ear"
_CIRCULATORY: Final = "Circulatory system"
_RESPIRATORY: Final = "Respiratory system"
_DIGESTIVE: Final = "Digestive system"
_SKIN: Final = "Skin"
_MUSCULOSKELETAL: Final = "Musculoskeletal system"
_GENITOURINARY: Final = "Genitourinary system"
_PREGNANCY: Final = "Pregnancy and childbirth"
_PERINATAL: Final = "Perinatal period"
_CONGENITAL: Final = "Congenital anomalies"
_SYMPTOMS: Final = "Symptoms and signs"
_INJURY: Final = "Injury and poisoning"
_EXTERNAL: Final = "External causes"
_STATUS: Final = "Health status and contact with services"
_SPECIAL: Final = "Special purposes"

# Each range starts at its key and ends before the next one.
_ICD9: Final[tuple[tuple[str, str], ...]] = (
    ("001", _INFECTIONS),
    ("140", _NEOPLASMS),
    ("240", _ENDOCRINE),
    ("280", _BLOOD),
    ("290", _MENTAL),
    ("320", _NERVOUS),
    ("360", _EYE),
    ("380", _EAR),
    ("390", _CIRCULATORY),
    ("460", _RESPIRATORY),
    ("520", _DIGESTIVE),
    ("580", _GENITOURINARY),
    ("630", _PREGNANCY),
    ("680", _SKIN),
    ("710", _MUSCULOSKELETAL),
    ("740", _CONGENITAL),
    ("760", _PERINATAL),
    ("780", _SYMPTOMS),
    ("800", _INJURY),
    ("E00", _EXTERNAL),
    ("V01", _STATUS),
)
_ICD10: Final[tuple[tuple[str, str], ...]] = (
    ("A00", _INFECTIONS),
    ("C00", _NEOPLASMS),
    ("D50", _BLOOD),
    ("E00", _ENDOCRINE),
    ("F01", _MENTAL),
    ("G00", _NERVOUS),
    ("H00", _EYE),
    ("H60", _EAR),
    ("I00", _CIRCULATORY),
    ("J00", _RESPIRATORY),
    ("K00", _DIGESTIVE),
    ("L00", _SKIN),
    ("M00", _MUSCULOSKELETAL),
    ("N00", _GENITOURINARY),
    ("O00", _PREGNANCY),
    ("P00", _PERINATAL),
    ("Q00", _CONGENITAL),
    ("R00", _SYMPTOMS),
    ("S00", _INJURY),
    ("U00", _SPECIAL),
    ("V00", _EXTERNAL),
    ("Z00", _STATUS),
)

_P_NERVOUS: Final = "Nervous system procedures"
_P_ENDOCRINE: Final = "Endocrine procedures"
_P_EYE: Final = "Eye procedures"
_P_ENT: Final = "Ear, nose, mouth and throat procedures"
_P_RESPIRATORY: Final = "Respiratory procedures"
_P_CARDIOVASCULAR: Final = "Cardiovascular procedures"
_P_LYMPHATIC: Final = "Blood and lymphatic procedures"
_P_DIGESTIVE: Final = "Digestive procedures"
_P_URINARY: Final = "Urinary procedures"
_P_MALE: Final = "Male genital procedures"
_P_FEMALE: Final = "Female genital procedures"
_P_OBSTETRIC: Final = "Obstetric procedures"
_P_MUSCULOSKELETAL: Final = "Musculoskeletal procedures"
_P_SKIN: Final = "Skin and breast procedures"
_P_REGIONS: Final = "Procedures on body regions"
_P_OTHER: Final = "Other diagnostic and therapeutic procedures"

_ICD9PCS: Final[tuple[tuple[str, str], ...]] = (
    ("00", _P_OTHER),
    ("01", _P_NERVOUS),
    ("06", _P_ENDOCRINE),
    ("08", _P_EYE),
    ("17", _P_OTHER),
    ("18", _P_ENT),
    ("30", _P_RESPIRATORY),
    ("35", _P_CARDIOVASCULAR),
    ("40", _P_LYMPHATIC),
    ("42", _P_DIGESTIVE),
    ("55", _P_URINARY),
    ("60", _P_MALE),
    ("65", _P_FEMALE),
    ("72", _P_OBSTETRIC),
    ("76", _P_MUSCULOSKELETAL),
    ("85", _P_SKIN),
    ("87", _P_OTHER),
)
_PCS_BODY_SYSTEMS: Final[dict[str, str]] = {
    **dict.fromkeys("01", _P_NERVOUS),
    **dict.fromkeys("23456", _P_CARDIOVASCULAR),
    "7": _P_LYMPHATIC,
    "8": _P_EYE,
    **dict.fromkeys("9C", _P_ENT),
    "B": _P_RESPIRATORY,
    **dict.fromkeys("DF", _P_DIGESTIVE),
    "G": _P_ENDOCRINE,
    **dict.fromkeys("HJ", _P_SKIN),
    **dict.fromkeys("KLMNPQRS", _P_MUSCULOSKELETAL),
    "T": _P_URINARY,
    "U": _P_FEMALE,
    "V": _P_MALE,
    **dict.fromkeys("WXY", _P_REGIONS),
}
"""Second character of an ICD-10-PCS code in the medical and surgical section (first character 0)."""

_PCS_NEW_TECHNOLOGY: Final[dict[str, str]] = {
    "0": _P_NERVOUS,
    "2": _P_CARDIOVASCULAR,
    **dict.fromkeys("DF", _P_DIGESTIVE),
    "H": _P_SKIN,
    **dict.fromkeys("KNR", _P_MUSCULOSKELETAL),
    "T": _P_URINARY,
    "V": _P_MALE,
    "W": _P_REGIONS,
}
"""Second character in the new technology section (first character X), which names body systems its own way."""

_EICU: Final = {
    "cardiovascular": _P_CARDIOVASCULAR,
    "endocrine": _P_ENDOCRINE,
    "gastrointestinal": _P_DIGESTIVE,
    "hematology": _P_LYMPHATIC,
    "neurologic": _P_NERVOUS,
    "pulmonary": _P_RESPIRATORY,
    "renal": _P_URINARY,
}
"""First words of eICU's treatment paths."""

_ATC_LENGTHS: Final = (1, 3, 4, 5, 7)


def chapter(code: str) -> str:
    """The chapter of a diagnosis or procedure code, in plain words; `UNCLASSIFIED` where there is none.

    >>> chapter("ICD9:4280"), chapter("ICD10:I509"), chapter("ICD9PCS:3961")
    ('Circulatory system', 'Circulatory system', 'Cardiovascular procedures')
    """
    system, _, bare = code.rpartition(":")
    if not bare:
        return UNCLASSIFIED
    if system == "ICD9":
        return _in_ranges(_ICD9, bare[:3])
    if system == "ICD10":
        return _in_ranges(_ICD10, bare[:3])
    if system == "ICD9PCS":
        return _in_ranges(_ICD9PCS, bare[:2])
    if system == "EICU":
        return _EICU.get(bare.split("|", 1)[0], _P_OTHER)
    if system == "ICD10PCS":
        if bare[0] == "0":
            return _PCS_BODY_SYSTEMS.get(bare[1:2], UNCLASSIFIED)
        if bare[0] == "X":
            return _PCS_NEW_TECHNOLOGY.get(bare[1:2], _P_OTHER)
        return _P_OBSTETRIC if bare[0] == "1" else _P_OTHER
    return UNCLASSIFIED


BACKGROUND: Final = {_STATUS: 1, _EXTERNAL: 2}
"""Chapters that say what was before or around an illness: history, status, circumstances; the higher comes later."""


def conditions_first(codes: Iterable[str]) -> list[str]:
    """Diagnosis codes in their order, but history and status after the conditions, and external causes last.

    >>> conditions_first(["ICD10:Z8249", "ICD10:I509", "ICD9:E8859", "ICD9:V4581", "ICD10:N179"])
    ['ICD10:I509', 'ICD10:N179', 'ICD10:Z8249', 'ICD9:V4581', 'ICD9:E8859']
    """
    return sorted(codes, key=lambda code: BACKGROUND.get(chapter(code), 0))


def parent(code: str) -> str:
    """The next broader code, in the same notation; empty at the top.

    An ICD-10-PCS code's parent is its table (section, body system, operation): nothing between has a meaning
    of its own. Medication codes are ATC codes.

    >>> parent("ICD9:42731"), parent("ICD9:4273"), parent("ICD9:427")
    ('ICD9:4273', 'ICD9:427', '')
    >>> parent("ICD10PCS:5A1D70Z"), parent("C03CA01"), parent("ICD10:T391X1A"), parent("ICD10:T391X1")
    ('ICD10PCS:5A1', 'C03CA', 'ICD10:T391X1', 'ICD10:T391')
    """
    system, colon, bare = code.rpartition(":")
    if not colon:
        shorter = [n for n in _ATC_LENGTHS if n < len(bare)]
        return bare[: shorter[-1]] if shorter else ""
    if system == "ICD10PCS":
        return f"{system}:{bare[:3]}" if len(bare) > 3 else ""
    if system == "EICU":
        above = bare.rpartition("|")[0]
        return f"{system}:{above}" if above else ""
    least = category_length(system, bare)
    if len(bare) <= least:
        return ""
    above = bare[:-1]
    if system == "ICD10":
        above = above[:least] + above[least:].rstrip("X")  # X only keeps a place for the 7th character
    return f"{system}:{above}"


def category_length(system: str, bare: str) -> int:
    """How many characters the category takes: 3 for diagnoses (4 for ICD-9 E codes), 2 for ICD-9 procedures."""
    if system == "ICD9PCS":
        return 2
    return 4 if system == "ICD9" and bare.startswith("E") else 3


def _in_ranges(ranges: tuple[tuple[str, str], ...], key: str) -> str:
    index = bisect_right(ranges, key, key=lambda entry: entry[0]) - 1
    return ranges[index][1] if index >= 0 else UNCLASSIFIED
