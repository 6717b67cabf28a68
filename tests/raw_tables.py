"""A hand-written hospital of four patients in both of MIMIC's layouts, small enough to work out every number by hand.

Patient 1 has two visits whose ids run against time; patient 2 is over 89; patient 3's visit has no diagnosis;
patient 4 has no mapped medication.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leader_core.cohort.build import BuildResult, build_cohort

Rows = list[dict[str, object]]
Tables = dict[str, Rows]


def mimic3() -> Tables:
    """The tables in MIMIC-III's layout, as rows by column name."""
    return {
        "PATIENTS": [
            {"ROW_ID": 1, "SUBJECT_ID": 1, "GENDER": "F", "DOB": "2100-06-01 00:00:00"},
            {"ROW_ID": 2, "SUBJECT_ID": 2, "GENDER": "M", "DOB": "1860-01-01 00:00:00"},
            {"ROW_ID": 3, "SUBJECT_ID": 3, "GENDER": "M", "DOB": "2150-01-01 00:00:00"},
            {"ROW_ID": 4, "SUBJECT_ID": 4, "GENDER": "F", "DOB": "2120-01-01 00:00:00"},
        ],
        "ADMISSIONS": [
            _admission(1, 20, "2160-05-01 10:00:00", "2160-05-09 12:00:00"),
            _admission(1, 10, "2161-06-02 08:30:00", "2161-06-04 12:00:00", INSURANCE="Private"),
            _admission(2, 30, "2170-01-01 00:00:00", "2170-01-05 00:00:00", MARITAL_STATUS=""),
            _admission(3, 40, "2170-01-01 00:00:00", "2170-01-05 00:00:00"),
            _admission(4, 50, "2170-01-01 00:00:00", "2170-01-05 00:00:00"),
        ],
        "DIAGNOSES_ICD": [
            {"SUBJECT_ID": s, "HADM_ID": h, "SEQ_NUM": n, "ICD9_CODE": c}
            for s, h, n, c in (
                (1, 20, 2, "4019"),
                (1, 20, 1, "4280"),
                (1, 20, 3, "4019"),  # written twice
                (1, 10, 1, "0389"),  # a leading zero
                (1, 10, 2, "V1046"),
                (1, 10, 3, ""),
                (2, 30, 1, "42731"),
                (4, 50, 1, "4019"),
            )
        ],
        "PROCEDURES_ICD": [
            {"SUBJECT_ID": 1, "HADM_ID": 10, "SEQ_NUM": 1, "ICD9_CODE": "0066"},
            {"SUBJECT_ID": 2, "HADM_ID": 99, "SEQ_NUM": 1, "ICD9_CODE": "3961"},  # no such admission
        ],
        "PRESCRIPTIONS": [
            _order(s, h, *rest)
            for s, h, *rest in (
                (1, 20, "Furosemide", "IV", "MAIN", "00054329425"),
                (1, 20, "Furosemide", "IV", "MAIN", "00054329425"),
                (1, 20, "Furosemide", "PO", "MAIN", "00054329425"),
                (1, 20, "Vancomycin", "IV", "MAIN", "00338355248"),
                (1, 20, "D5W", "IV", "BASE", "0"),
                (1, 20, "Sodium Chloride 0.9%  Flush", "IV", "MAIN", "0"),
                (1, 10, "Vancomycin Oral Liquid", "PO", "MAIN", ""),
                (1, 10, "Zzyzx Elixir", "PO", "MAIN", "00000000001"),
                (1, 10, "", "PO", "MAIN", ""),
                (2, 30, "Warfarin", "PO", "MAIN", "00056017275"),
                (2, 30, "Potassium Chloride", "IV", "ADDITIVE", "0"),
                (3, 40, "Aspirin", "PO", "MAIN", "00904404073"),
                (2, 10, "Aspirin", "PO", "MAIN", "00904404073"),  # patient 1's admission
                (4, 50, "NS", "IV", "BASE", "0"),
            )
        ],
    }


def mimic4() -> Tables:
    """The same hospital in MIMIC-IV's layout; patient 2's diagnosis is in ICD-10."""
    tables = mimic3()
    ages = {1: (60, 2160), 2: (91, 2168), 3: (20, 2170), 4: (50, 2170)}
    return {
        "patients": [
            {
                "subject_id": row["SUBJECT_ID"],
                "gender": row["GENDER"],
                "anchor_age": ages[int(str(row["SUBJECT_ID"]))][0],
                "anchor_year": ages[int(str(row["SUBJECT_ID"]))][1],
                "anchor_year_group": "2011 - 2013",
            }
            for row in tables["PATIENTS"]
        ],
        "admissions": [
            {
                **{k.lower(): v for k, v in row.items() if k not in ("RELIGION", "ETHNICITY")},
                "race": row["ETHNICITY"],
            }
            for row in tables["ADMISSIONS"]
        ],
        "diagnoses_icd": [
            {**_lower(row, "ICD9_CODE"), "icd_code": code, "icd_version": version}
            for row in tables["DIAGNOSES_ICD"]
            for code, version in [(row["ICD9_CODE"], 9) if row["HADM_ID"] != 30 else ("I4891", 10)]
        ],
        "procedures_icd": [
            {**_lower(row, "ICD9_CODE"), "icd_code": row["ICD9_CODE"], "icd_version": 9}
            for row in tables["PROCEDURES_ICD"]
        ],
        "prescriptions": [_lower(row) for row in tables["PRESCRIPTIONS"]],
    }


def write(
    folder: Path,
    tables: Mapping[str, Sequence[Mapping[str, object]]],
    *,
    compress: bool = False,
    headers: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Write the tables as `.csv` or `.csv.gz`; `headers` names the columns of tables without rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        stream = io.StringIO()
        columns = list(rows[0]) if rows else list((headers or {})[name])
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        data = stream.getvalue().encode()
        if compress:
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(data, mtime=0))
        else:
            (folder / f"{name}.csv").write_bytes(data)
    return folder


def build(folder: Path, tables: Tables | None = None, **options: Any) -> BuildResult:
    """The cohort of these tables, or of the hospital in MIMIC-III's layout: `folder/raw` and `folder/c.duckdb`."""
    raw = write(folder / "raw", mimic3() if tables is None else tables)
    return build_cohort(raw, folder / "c.duckdb", **options)


def _admission(subject: int, hadm: int, admitted: str, discharged: str, **other: str) -> dict[str, object]:
    return {
        "SUBJECT_ID": subject,
        "HADM_ID": hadm,
        "ADMITTIME": admitted,
        "DISCHTIME": discharged,
        "ADMISSION_TYPE": "EMERGENCY",
        "INSURANCE": "Medicare",
        "LANGUAGE": "ENGL",
        "RELIGION": "CATHOLIC",
        "MARITAL_STATUS": "MARRIED",
        "ETHNICITY": "WHITE",
        **other,
    }


def _order(subject: int, hadm: int, drug: str, route: str, drug_type: str, ndc: str) -> dict[str, object]:
    return {
        "SUBJECT_ID": subject,
        "HADM_ID": hadm,
        "STARTDATE": "2160-05-01 00:00:00",
        "DRUG_TYPE": drug_type,
        "DRUG": drug,
        "NDC": ndc,
        "ROUTE": route,
    }


def _lower(row: Mapping[str, object], *without: str) -> dict[str, object]:
    return {key.lower(): value for key, value in row.items() if key not in without}
