"""Whom a diagnosis code fits: sex, age and what else the patient must have, by `knowledge/limits.csv`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from train.synthetic_hospital.arrays import BoolArray, FloatArray, IntArray

FILE: Final = Path(__file__).parent / "knowledge" / "limits.csv"
NEVER: Final = "never"  # in the column `needs`: the code is not written at all
_OLDEST: Final = 200.0


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A line of the table: which codes it holds for, and what it asks of the patient."""

    version: int  # ICD version; 0: both
    codes: re.Pattern[str]  # beginnings of codes; of any code where the table names none
    title: re.Pattern[str]  # found in the lower-case title
    sex: str  # '', 'F' or 'M'
    minimum: float  # years
    maximum: float
    needs: tuple[int, ...] | None  # any of these conditions; empty: never written; None: no matter


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """The same for N codes, all their lines together."""

    women: BoolArray  # (N,) whether it fits women
    men: BoolArray
    minimum: FloatArray  # (N,) years
    maximum: FloatArray
    bound: BoolArray  # (N,) whether it asks for a condition
    needs: Mapping[int, tuple[tuple[int, ...], ...]]  # for the bound codes: any condition of each group

    @classmethod
    def of(
        cls, rows: Sequence[LimitRow], version: int, codes: Sequence[str], titles: Mapping[str, str]
    ) -> Self:
        """Look up each code; `titles` are those of its ICD version."""
        size = len(codes)
        women, men = np.ones(size, dtype=bool), np.ones(size, dtype=bool)
        minimum, maximum = np.zeros(size), np.full(size, _OLDEST)
        needs: dict[int, tuple[tuple[int, ...], ...]] = {}
        where: dict[str, list[int]] = {}
        for n, code in enumerate(codes):
            where.setdefault(code, []).append(n)
        for row in rows:
            if row.version not in (0, version):
                continue
            for code, places in where.items():
                if not (row.codes.match(code) and row.title.search(titles[code].lower())):
                    continue
                women[places] &= row.sex != "M"
                men[places] &= row.sex != "F"
                minimum[places] = np.maximum(minimum[places], row.minimum)
                maximum[places] = np.minimum(maximum[places], row.maximum)
                if row.needs is not None:
                    needs.update((n, (*needs.get(n, ()), row.needs)) for n in places)
        bound = np.zeros(size, dtype=bool)
        bound[list(needs)] = True
        return cls(women, men, minimum, maximum, bound, needs)

    def fit(self, code: IntArray, female: BoolArray, age: FloatArray, present: BoolArray) -> BoolArray:
        """(R,) whether the code of each row fits its patient; `present` is (R, conditions)."""
        fits: BoolArray = np.where(female, self.women[code], self.men[code])
        fits &= (age >= self.minimum[code]) & (age < self.maximum[code] + 1)
        for row in np.flatnonzero(fits & self.bound[code]):
            fits[row] = all(present[row, list(group)].any() for group in self.needs[int(code[row])])
        return fits


@dataclass(frozen=True, slots=True)
class Bounds:
    """By condition: whom at least one of its codes fits, in every ICD version asked for."""

    women: BoolArray  # (conditions,)
    men: BoolArray
    minimum: FloatArray
    maximum: FloatArray

    @classmethod
    def of(cls, versions: Iterable[tuple[IntArray, CodeLimits]]) -> Self:
        """From the first code of each condition (length conditions + 1) and the limits, by ICD version."""
        tables = list(versions)
        count = len(tables[0][0]) - 1
        bounds = cls(
            np.ones(count, dtype=bool), np.ones(count, dtype=bool), np.zeros(count), np.full(count, _OLDEST)
        )
        for start, limits in tables:
            for i in range(count):
                own = slice(int(start[i]), int(start[i + 1]))
                if own.start == own.stop:
                    continue
                bounds.women[i] &= limits.women[own].any()
                bounds.men[i] &= limits.men[own].any()
                bounds.minimum[i] = max(bounds.minimum[i], limits.minimum[own].min())
                bounds.maximum[i] = min(bounds.maximum[i], limits.maximum[own].max())
        return bounds

    def bar(self, i: int, female: BoolArray, age: FloatArray) -> BoolArray:
        """(R,) patients who cannot have condition `i`."""
        fits: BoolArray = np.where(female, self.women[i], self.men[i])
        return ~fits | (age < self.minimum[i]) | (age >= self.maximum[i] + 1)


def read_limits(conditions: Sequence[str], problems: list[str]) -> list[LimitRow]:
    """The table; names of conditions that do not exist are added to `problems`."""
    index = {name: i for i, name in enumerate(conditions)}
    rows = []
    with FILE.open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream):
            names = line["needs"].split("|") if line["needs"] else []
            problems += [
                f"limits.csv: unknown condition {n!r}" for n in names if n not in index and n != NEVER
            ]
            rows.append(
                LimitRow(
                    version=int(line["icd"] or 0),
                    codes=re.compile("|".join(p.replace("?", ".") for p in line["codes"].split())),
                    title=re.compile(line["title"]),
                    sex=line["sex"],
                    minimum=float(line["minimum"] or 0),
                    maximum=float(line["maximum"] or _OLDEST),
                    needs=tuple(index[n] for n in names if n in index) if names else None,
                )
            )
    return rows
