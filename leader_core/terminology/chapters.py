"""Where an ICD code stands: its chapter in plain words, and the broader code above it.

ICD-9 and ICD-10 share one set of chapter names, so that a mixed cohort can be grouped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from leader_core.terminology.atc import LENGTHS

UNCLASSIFIED: Final = "Not classified"

_EXTERNAL: Final = "External causes"
_STATUS: Final = "Health status and contact with services"
_DIAGNOSES: Final = (  # chapter, where its ranges begin in ICD-9 and in ICD-10; each ends before the next
    ("Infections", "001", "A00"),
    ("Neoplasms", "140", "C00"),
    ("Endocrine, nutritional and metabolic", "240", "E00"),
    ("Blood and immune system", "280", "D50"),
    ("Mental and behavioural", "290", "F01"),
    ("Nervous system", "320", "G00"),
    ("Eye", "360", "H00"),
    ("Ear", "380", "H60"),
    ("Circulatory system", "390", "I00"),
    ("Respiratory system", "460", "J00"),
    ("Digestive system", "520", "K00"),
    ("Genitourinary system", "580", "N00"),
    ("Pregnancy and childbirth", "630", "O00"),
    ("Skin", "680", "L00"),
    ("Musculoskeletal system", "710", "M00"),
    ("Congenital anomalies", "740", "Q00"),
    ("Perinatal period", "760", "P00"),
    ("Symptoms and signs", "780", "R00"),
    ("Injury and poisoning", "800", "S00"),
    (_EXTERNAL, "E00", "V00"),
    (_STATUS, "V01", "Z00"),
    ("Special purposes", "", "U00"),
)
_OBSTETRIC: Final = "Obstetric procedures"
_OTHER: Final = "Other diagnostic and therapeutic procedures"
_PROCEDURES: Final = (
    # Chapter; where its ranges begin in ICD-9; second characters of ICD-10-PCS in the medical and surgical section (0) and
    # in that of new technology (X), which names body systems its own way; first word of eICU's treatment paths.
    ("Nervous system procedures", "01", "01", "0", "neurologic"),
    ("Endocrine procedures", "06", "G", "", "endocrine"),
    ("Eye procedures", "08", "8", "", ""),
    ("Ear, nose, mouth and throat procedures", "18", "9C", "", ""),
    ("Respiratory procedures", "30", "B", "", "pulmonary"),
    ("Cardiovascular procedures", "35", "23456", "2", "cardiovascular"),
    ("Blood and lymphatic procedures", "40", "7", "", "hematology"),
    ("Digestive procedures", "42", "DF", "DF", "gastrointestinal"),
    ("Urinary procedures", "55", "T", "T", "renal"),
    ("Male genital procedures", "60", "V", "V", ""),
    ("Female genital procedures", "65", "U", "", ""),
    (_OBSTETRIC, "72", "", "", ""),
    ("Musculoskeletal procedures", "76", "KLMNPQRS", "KNR", ""),
    ("Skin and breast procedures", "85", "HJ", "H", ""),
    ("Procedures on body regions", "", "WXY", "W", ""),
    (_OTHER, "00 17 87", "", "", ""),
)
_RANGES: Final = {
    "ICD9": sorted((nine, name) for name, nine, _ in _DIAGNOSES if nine),
    "ICD10": sorted((ten, name) for name, _, ten in _DIAGNOSES),
    "ICD9PCS": sorted((start, name) for name, starts, *_ in _PROCEDURES for start in starts.split()),
}
_MEDICAL: Final = {system: name for name, _, systems, *_ in _PROCEDURES for system in systems}
_NEW_TECHNOLOGY: Final = {system: name for name, _, _, systems, _ in _PROCEDURES for system in systems}
_EICU: Final = {word: name for name, *_, word in _PROCEDURES}


def chapter(code: str) -> str:
    """The chapter of a diagnosis or procedure code, in plain words; `UNCLASSIFIED` where there is none.

    >>> chapter("ICD9:4280"), chapter("ICD10:I509"), chapter("ICD9PCS:3961")
    ('Circulatory system', 'Circulatory system', 'Cardiovascular procedures')
    """
    system, _, bare = code.rpartition(":")
    if not bare:
        return UNCLASSIFIED
    if ranges := _RANGES.get(system):
        index = bisect_right(ranges, bare[: 2 if system == "ICD9PCS" else 3], key=itemgetter(0)) - 1
        return ranges[index][1] if index >= 0 else UNCLASSIFIED
    if system == "EICU":
        return _EICU.get(bare.split("|", 1)[0], _OTHER)
    if system == "ICD10PCS":
        if bare[0] == "0":
            return _MEDICAL.get(bare[1:2], UNCLASSIFIED)
        if bare[0] == "X":
            return _NEW_TECHNOLOGY.get(bare[1:2], _OTHER)
        return _OBSTETRIC if bare[0] == "1" else _OTHER
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
        shorter = [n for n in LENGTHS.values() if n < len(bare)]
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
