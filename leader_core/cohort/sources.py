"""The sources of raw tables: which tables and columns each has, and what the absence of an optional one means."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from leader_core.errors import InputError

MISSING_WORDS: Final = frozenset(
    (
        "\\N",
        "NULL",
        "null",
        "Null",
        "(null)",
        "None",
        "nan",
        "NaN",
        "NAN",
        "NA",
        "N/A",
        "n/a",
        "#N/A",
        "<NA>",
        "NaT",
    )
)
"""What databases, spreadsheets and data frames write for a missing value; `missing_word` of functions.sql has the same."""

_UNKNOWN: Final = "is unknown"


@dataclass(frozen=True, slots=True)
class SourceLayout:
    """All that sets one source of raw tables apart, but for its SQL (`sql/<source>/`)."""

    name: str
    detected_by: tuple[str, tuple[str, ...]]  # table, and those of its columns that only this source has
    required: Mapping[str, tuple[str, ...]]  # table -> columns without which it cannot be read
    optional: Mapping[str, Mapping[str, str]]  # table -> {column: what its absence means}
    dictionaries: Mapping[str, tuple[str, ...]]  # tables read where they are present: titles, treatments
    without_dictionaries: str  # what the absence of these tables means
    profile_fields: tuple[str, ...]  # of a case
    icd_version: int  # the usual one, for codes that are valid in several
    one_of: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # table -> names of one column, any will do
    dates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # table -> columns that hold dates
    tables: Mapping[str, str] = field(
        default_factory=dict
    )  # name in the builder's SQL -> name of the source's table
    again: str = "duplicate admission"  # what a second row of one admission is

    def columns(self, table: str) -> tuple[str, ...]:
        """Every column that is read from a table."""
        wanted = (*self.required.get(table, ()), *self.optional.get(table, {}), *self.one_of.get(table, ()))
        return wanted or self.dictionaries[table]

    def source_table(self, staged: str) -> str:
        """The source's own name of a table of the builder; empty where its rows are counted under another."""
        return self.tables.get(staged, staged)


_CODES3: Final = ("subject_id", "hadm_id", "icd9_code")
_CODES4: Final = ("subject_id", "hadm_id", "icd_code", "icd_version")
_TITLES3: Final = ("icd9_code", "long_title")
_TITLES4: Final = ("icd_code", "icd_version", "long_title")
_NO_TITLES: Final = "titles are those of the official code lists"
_SEQUENCE: Final = {
    "seq_num": "the codes of a visit stand in the order of their text, and none is the main one"
}
_VISIT: Final = {
    "dischtime": "lengths of stay are unknown",
    **{name: f"{name.replace('_', ' ')} {_UNKNOWN}" for name in ("admission_type", "insurance", "language")},
    "marital_status": f"marital status {_UNKNOWN}",
}
_ORDER: Final = {
    "drug_type": "diluents and additives are recognized by their names alone",
    "route": "every drug is taken for its commonest route",
    "ndc": "drugs are known by their names alone",
}

SOURCES: Final[Mapping[str, SourceLayout]] = {
    "mimic3": SourceLayout(
        name="MIMIC-III",
        detected_by=("diagnoses_icd", ("icd9_code",)),
        required={
            "patients": ("subject_id",),
            "admissions": ("subject_id", "hadm_id", "admittime"),
            "diagnoses_icd": _CODES3,
            "procedures_icd": _CODES3,
            "prescriptions": ("subject_id", "hadm_id", "drug"),
        },
        optional={
            "patients": {"gender": f"gender {_UNKNOWN}", "dob": f"age {_UNKNOWN}"},
            "admissions": {
                **_VISIT,
                "religion": f"religion {_UNKNOWN}",
                "ethnicity": f"ethnicity {_UNKNOWN}",
            },
            "diagnoses_icd": _SEQUENCE,
            "procedures_icd": _SEQUENCE,
            "prescriptions": _ORDER,
        },
        dictionaries={"d_icd_diagnoses": _TITLES3, "d_icd_procedures": _TITLES3},
        without_dictionaries=_NO_TITLES,
        profile_fields=(
            "insurance", "language", "religion", "marital_status", "ethnicity", "age_band", "gender",
        ),
        icd_version=9,
        dates={"patients": ("dob",), "admissions": ("admittime", "dischtime")},
    ),
    "mimic4": SourceLayout(
        name="MIMIC-IV",
        detected_by=("diagnoses_icd", ("icd_code", "icd_version")),
        required={
            "patients": ("subject_id",),
            "admissions": ("subject_id", "hadm_id", "admittime"),
            "diagnoses_icd": _CODES4,
            "procedures_icd": _CODES4,
            "prescriptions": ("subject_id", "hadm_id", "drug"),
        },
        optional={
            "patients": {
                "gender": f"gender {_UNKNOWN}",
                "anchor_age": f"age {_UNKNOWN}",
                "anchor_year": f"age {_UNKNOWN}",
                "anchor_year_group": f"the year of the calendar {_UNKNOWN}",
            },
            "admissions": _VISIT,
            "diagnoses_icd": _SEQUENCE,
            "procedures_icd": _SEQUENCE,
            "prescriptions": _ORDER,
        },
        dictionaries={"d_icd_diagnoses": _TITLES4, "d_icd_procedures": _TITLES4},
        without_dictionaries=_NO_TITLES,
        profile_fields=(
            "insurance", "language", "marital_status", "ethnicity", "admission_type", "age_band", "gender",
        ),
        icd_version=10,
        one_of={"admissions": ("race", "ethnicity")},  # the second before release 2.0
        dates={"admissions": ("admittime", "dischtime")},
    ),
    "eicu": SourceLayout(
        name="eICU",
        detected_by=("patient", ("patientunitstayid", "patienthealthsystemstayid", "uniquepid")),
        required={
            "patient": ("patientunitstayid", "patienthealthsystemstayid", "uniquepid"),
            "diagnosis": ("patientunitstayid", "icd9code"),
            "medication": ("patientunitstayid", "drugname"),
        },
        optional={
            "patient": {
                "gender": f"gender {_UNKNOWN}",
                "age": f"age {_UNKNOWN}",
                "ethnicity": f"ethnicity {_UNKNOWN}",
                "hospitaladmitsource": f"admission type {_UNKNOWN}",
                "hospitaladmitoffset": "the order of the unit stays of a hospital stay is their number",
                "hospitaldischargeyear": "the order of a patient's hospital stays is unknown",
            },
            "diagnosis": {
                "diagnosispriority": "no diagnosis is the main one",
                "diagnosisoffset": "the codes of a visit stand in the order of their text",
            },
            "medication": {
                "drughiclseqno": "orders without a name stay unmapped",
                "routeadmin": "every drug is taken for its commonest route",
                "drugordercancelled": "canceled orders count as orders",
            },
        },
        dictionaries={"treatment": ("patientunitstayid", "treatmentstring")},
        without_dictionaries="no visit has a procedure",
        profile_fields=("ethnicity", "admission_type", "age_band", "gender"),
        icd_version=9,
        tables={
            "patients": "",  # the same rows as the unit stays
            "admissions": "patient",
            "diagnoses_icd": "diagnosis",
            "procedures_icd": "treatment",
            "prescriptions": "medication",
        },
        again="further unit stay of its hospital stay",
    ),
}  # fmt: skip
"""A new source: an entry here, its SQL under `sql/<source>/`, and for tables named otherwise a module like `eicu.py`."""

TABLES: Final = frozenset(
    table for layout in SOURCES.values() for table in (*layout.required, *layout.dictionaries)
)


def detect(headers: Mapping[str, tuple[str, ...]]) -> str | None:
    """The source whose own columns stand in these headers (table -> columns); None where none does."""
    for source, layout in SOURCES.items():
        table, columns = layout.detected_by
        if set(columns) <= set(headers.get(table, ())):
            return source
    return None


def problems(source: str, table: str, columns: tuple[str, ...]) -> list[str]:
    """What is wrong with a table's columns: one that is needed and absent, or one that stands twice."""
    layout = SOURCES[source]
    needed = layout.required.get(table) or layout.dictionaries[table]
    result = []
    if absent := [name for name in needed if name not in columns]:
        result.append(f"has no column {listed(absent, 'and ')} (its header reads: {', '.join(columns)})")
    read = set(layout.columns(table))
    if twice := sorted({name for name in columns if name in read and columns.count(name) > 1}):
        result.append(f"names the column {listed(twice, 'and ')} twice")
    return result


def absences(source: str, table: str, columns: tuple[str, ...]) -> list[str]:
    """What the absence of optional columns means, one clause a meaning."""
    layout = SOURCES[source]
    meanings: dict[str, list[str]] = {}
    for name, meaning in layout.optional.get(table, {}).items():
        if name not in columns:
            meanings.setdefault(meaning, []).append(name)
    names = layout.one_of.get(table, ())
    if names and not set(names) & set(columns):
        meanings.setdefault(f"{names[-1]} {_UNKNOWN}", []).append(names[0])
    return [f"{listed(absent, 'and ')}: {meaning}" for meaning, absent in meanings.items()]


def absent_tables(source: str, present: Collection[str]) -> list[str]:
    """What the absence of tables that are optional means, as a sentence."""
    layout = SOURCES[source]
    absent = [name for name in layout.dictionaries if name not in present]
    return [f"No table {listed(absent, 'and no ')}: {layout.without_dictionaries}."] if absent else []


def is_missing(cell: str | None) -> bool:
    """Whether a cell holds a word that stands for nothing; blanks and None do not count as such a word."""
    return cell is not None and cell.strip() in MISSING_WORDS


def listed(words: list[str], joint: str) -> str:
    """'a, b and c' with the joint before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint}{words[-1]}"


def check_source(source: str) -> None:
    """Raises InputError for anything but a source or "auto"."""
    if source not in ("auto", *SOURCES):
        raise InputError(
            f"Unknown source {source!r}: expected {listed([*map(repr, SOURCES), repr('auto')], 'or ')}."
        )
