"""Draws the patients: age, sex, origin, profile fields, and how often and when they are admitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.synthetic_hospital.arrays import BoolArray, FloatArray, IntArray
from train.synthetic_hospital.knowledge import CLUSTERS, ETHNICITIES

Text = NDArray[np.object_]
_REAL_ERA = (np.datetime64("2008-01-01"), np.datetime64("2019-12-31"))
"""First admissions before shifting: the years of MIMIC-IV v2.2. About 41 % of admissions are then coded in ICD-10."""
ICD10_FROM = np.datetime64("2015-10-01")


@dataclass(frozen=True, slots=True)
class Patients:
    """P patients and their V visits, visits ordered by patient and time."""

    number: IntArray  # (P,) position in the whole hospital
    age: FloatArray  # (P,) years at first admission
    female: BoolArray
    ethnicity: IntArray  # (P,) index in ETHNICITIES
    latent: FloatArray  # (P, clusters) standard normal leanings
    visits: IntArray  # (P,)
    owner: IntArray  # (V,) row of the patient
    visit_no: IntArray  # (V,) from 0
    gap_days: FloatArray  # (V,) since the first admission
    first: NDArray[np.datetime64]  # (P,) real day of the first admission
    shift: IntArray  # (P,) whole years added for disguise

    @property
    def visit_age(self) -> FloatArray:
        return self.age[self.owner] + self.gap_days / 365.25


def draw_patients(rng: np.random.Generator, numbers: IntArray, population: Mapping[str, Any]) -> Patients:
    """Draw patients and the calendar of their admissions."""
    count = numbers.size
    parts = np.asarray(population["age"]["parts"])
    part = rng.choice(len(parts), size=count, p=parts[:, 0] / parts[:, 0].sum())
    age = np.clip(
        rng.normal(parts[part, 1], parts[part, 2]), population["age"]["minimum"], population["age"]["maximum"]
    )
    shares = np.asarray(population["visits"]["shares"])
    visits = 1 + rng.choice(shares.size, size=count, p=shares / shares.sum())
    groups = population["ethnicity"]["groups"]
    weights = np.asarray([groups[name] for name in ETHNICITIES])
    owner = np.repeat(np.arange(count), visits)
    visit_no = np.arange(owner.size) - np.repeat(np.cumsum(visits) - visits, visits)
    gaps = np.where(
        rng.random(owner.size) < 0.35, rng.exponential(30.0, owner.size), rng.exponential(330.0, owner.size)
    )
    gaps = np.where(visit_no == 0, 0.0, gaps + 12.0)
    total = np.cumsum(gaps)
    span = (_REAL_ERA[1] - _REAL_ERA[0]).astype(int)
    return Patients(
        number=numbers,
        age=age,
        female=rng.random(count) < 0.445,
        ethnicity=rng.choice(weights.size, size=count, p=weights / weights.sum()),
        latent=rng.normal(size=(count, len(CLUSTERS))),
        visits=visits,
        owner=owner,
        visit_no=visit_no,
        gap_days=total - total[np.repeat(np.cumsum(visits) - visits, visits)],
        first=_REAL_ERA[0] + rng.integers(0, span, count),
        shift=rng.integers(100, 185, count),
    )


def draw_profile(
    rng: np.random.Generator, patients: Patients, population: Mapping[str, Any], layout: str
) -> dict[str, Text]:
    """Profile fields of each visit, in MIMIC's own words; '' stands for a cell left empty."""
    owner, count = patients.owner, patients.number.size
    origin = np.asarray(ETHNICITIES, dtype=object)[patients.ethnicity]
    band = np.where(patients.visit_age < 35, "young", np.where(patients.visit_age < 65, "middle", "old"))
    ethnic = _pick(rng.random(count), origin, population["ethnicity"][layout], "white")
    language = _pick(rng.random(count), origin, population["language"][layout], "default")
    religion = _pick(rng.random(count), origin, population["religion"], "default")
    same = rng.random(count)  # one draw a patient: fields change only where the age band does
    insurance = _pick(same[owner], band, population["insurance"][layout], "middle")
    marital = _pick(rng.random(count)[owner], band, population["marital"], "middle")
    profile = {
        "insurance": insurance,
        "language": language[owner],
        "religion": religion[owner],
        "marital_status": marital,
        "ethnicity": ethnic[owner],
    }
    forgotten = rng.random(owner.size) < 0.04
    profile["language"] = np.where(forgotten & (layout == "mimic3"), "", profile["language"])
    return profile


def _pick(uniform: FloatArray, key: Text, tables: Mapping[str, Mapping[str, float]], default: str) -> Text:
    """A weighted choice for each row from the table named by its key, or from the default one."""
    result = np.empty(uniform.size, dtype=object)
    unknown = ~np.isin(key.astype(str), list(tables))
    for name, table in tables.items():
        rows = (key == name) | (unknown if name == default else False)
        weights = np.cumsum(list(table.values()))
        index = np.searchsorted(weights, uniform[rows] * weights[-1], side="right")
        result[rows] = np.asarray(list(table), dtype=object)[np.minimum(index, len(table) - 1)]
    return result
