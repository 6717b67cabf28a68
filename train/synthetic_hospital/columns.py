"""Parts of raw tables that both layouts share: typed columns, code rows, admission types, destinations.

Refuses to know a layout's column names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from train.synthetic_hospital.clinic import Clinic
from train.synthetic_hospital.coding import BoolArray, Codes, FloatArray, IntArray
from train.synthetic_hospital.knowledge import Knowledge
from train.synthetic_hospital.patients import Text

NOTHING = np.datetime64("NaT", "s")


def _text(values: Text) -> pa.Array:
    """Strings, empty ones as missing cells."""
    array = pa.array(values, type=pa.string(), from_pandas=True)
    return pa.compute.if_else(pa.compute.equal(array, ""), pa.scalar(None, pa.string()), array)


def table(columns: Mapping[str, Any]) -> pa.Table:
    arrays = {}
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype == object:
            arrays[name] = _text(array)
        else:
            arrays[name] = pa.array(array)
    return pa.table(arrays)


def _choice(rng: np.random.Generator, size: int, table: Mapping[str, float]) -> Text:
    weights = np.asarray(list(table.values()))
    return np.asarray(list(table), dtype=object)[
        rng.choice(weights.size, size=size, p=weights / weights.sum())
    ]


def types(rng: np.random.Generator, know: Knowledge, layout: str, elective: BoolArray) -> Text:
    tables = know.population["admission_type"][layout]
    return np.where(
        elective,
        _choice(rng, elective.size, tables["elective"]),
        _choice(rng, elective.size, tables["emergency"]),
    )


def numbered(visit: IntArray) -> IntArray:
    """1, 2, 3, ... within each visit; rows are sorted by visit."""
    first = np.flatnonzero(np.diff(visit, prepend=-1))
    return np.arange(visit.size) - np.repeat(first, np.diff(np.append(first, visit.size))) + 1


def _unique(visit: IntArray, codes: Text) -> IntArray:
    """Rows that give a visit a code for the first time."""
    number = np.unique(codes.astype(str), return_inverse=True)[1]
    first = np.unique(visit * (int(number.max(initial=0)) + 1) + number, return_index=True)[1]
    return np.sort(first)


def coded(
    rng: np.random.Generator,
    tables: Mapping[int, Codes],
    version: IntArray,
    visit: IntArray,
    found: IntArray,
    empty: float,
) -> tuple[IntArray, Text, IntArray]:
    """Visit, code and ICD version of each row, without repeats; a few codes were never filled in."""
    code = np.empty(found.size, dtype=object)
    for number, table in tables.items():
        rows = version[visit] == number
        code[rows] = np.asarray(table.code, dtype=object)[found[rows]]
    keep = _unique(visit, code)
    visit, code = visit[keep], code[keep]
    code = np.where(rng.random(code.size) < empty, "", code)
    return visit, code, version[visit]


def leaving(rng: np.random.Generator, clinic: Clinic, words: tuple[str, ...]) -> Text:
    """Where a patient goes: the sicker, the less often home."""
    home = 1 / (1 + np.exp(0.8 * clinic.severity + 0.2))
    draw: FloatArray = rng.random(clinic.dead.size)
    other = np.asarray(words[2:], dtype=object)[rng.integers(0, len(words) - 2, clinic.dead.size)]
    return np.where(clinic.dead, words[0], np.where(draw < home, words[1], other)).astype(object)
