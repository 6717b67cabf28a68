"""What happens at a visit: conditions, their codes, procedures and products, and when and under which numbers it is recorded.

All visits of a chunk are drawn at once; only the order of visits within a patient is walked, because what was
diagnosed at one visit stays with the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.synthetic_hospital.arrays import BoolArray, FloatArray, IntArray
from train.synthetic_hospital.codes import Codes
from train.synthetic_hospital.conditions import draw_conditions
from train.synthetic_hospital.knowledge import Knowledge
from train.synthetic_hospital.patients import Patients, Text, draw_profile
from train.synthetic_hospital.prescribing import draw_products, order_chance

_CODED_ACUTE, _CODED_CHRONIC, _CODED_LIFELONG = 0.9, 0.94, 0.985  # probability of being written down
_TRIES: Final = 60  # draws of a code until one fits the patient


@dataclass(frozen=True, slots=True)
class Clinic:
    """Pairs of (visit row, code or product), visit rows ascending, the order within a visit as recorded."""

    principal: IntArray  # (V,) condition that led to the admission
    severity: FloatArray  # (V,)
    length: FloatArray  # (V,) days in hospital
    dead: BoolArray  # (V,)
    version: IntArray  # (V,) ICD version of the visit
    diagnosis_visit: IntArray
    diagnosis: IntArray  # index into the codes of the visit's ICD version
    procedure_visit: IntArray
    procedure: IntArray
    product_visit: IntArray
    product: IntArray
    present: BoolArray  # (V, conditions)
    chance: FloatArray  # (V, groups) true probability that a product of the group is ordered, history unknown


def simulate_visits(
    rng: np.random.Generator, knowledge: Knowledge, patients: Patients, version: IntArray
) -> Clinic:
    """Draw everything that is recorded of the visits."""
    present, principal, severity = draw_conditions(rng, knowledge, patients)
    diagnosis_visit, condition, uniform = _recorded(rng, knowledge, patients, present, principal)
    diagnosis_visit, condition, diagnosis = _fitting(
        knowledge, patients, version, present, diagnosis_visit, condition, uniform
    )
    diagnosis_visit, diagnosis = _ranked(
        rng, diagnosis_visit, diagnosis, condition == principal[diagnosis_visit]
    )
    procedure_visit, kind = _procedures(rng, knowledge, present)
    procedure = _choose(knowledge.procedure, version[procedure_visit], kind, rng.random(kind.size))
    procedure_visit, procedure = _ranked(
        rng, procedure_visit, procedure, np.zeros(procedure.size, dtype=bool)
    )
    cues = _cues(knowledge, version, diagnosis_visit, diagnosis)
    chance = order_chance(knowledge, patients, np.hstack([present, cues]))
    product_visit, product = draw_products(rng, knowledge, patients, chance)
    last = patients.visit_no == patients.visits[patients.owner] - 1
    risk = 1 / (1 + np.exp(3.3 - 0.85 * severity - 0.02 * (patients.visit_age - 65)))
    length = np.clip(np.exp(rng.normal(1.6 + 0.2 * np.clip(severity, -2, 5), 0.55)), 0.6, 120)
    return Clinic(
        principal=principal,
        severity=severity,
        length=length,
        dead=last & (rng.random(last.size) < risk),
        version=version,
        diagnosis_visit=diagnosis_visit,
        diagnosis=diagnosis,
        procedure_visit=procedure_visit,
        procedure=procedure,
        product_visit=product_visit,
        product=product,
        present=present,
        chance=chance,
    )


def _recorded(
    rng: np.random.Generator,
    knowledge: Knowledge,
    patients: Patients,
    present: BoolArray,
    principal: IntArray,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Which conditions are written down, how often, and the uniform that chooses the code of each."""
    coded = np.asarray([c.stage != "state" for c in knowledge.conditions])
    chronic = np.asarray([c.stage == "chronic" for c in knowledge.conditions])
    several = np.asarray([c.several for c in knowledge.conditions])
    lifelong = np.asarray([c.lifelong for c in knowledge.conditions])
    often = np.where(lifelong, _CODED_LIFELONG, np.where(chronic, _CODED_CHRONIC, _CODED_ACUTE))
    hidden = np.zeros_like(present)
    for i, c in enumerate(knowledge.conditions):
        for name in c.supersedes:
            hidden[:, knowledge.index[name]] |= present[:, i]
    usual = rng.random((patients.number.size, len(knowledge.conditions)))
    visit, condition = np.nonzero(present & ~hidden & coded & (rng.random(present.shape) < often))
    missing = np.flatnonzero(coded[principal] & ~_contains(visit, condition, principal, present.shape))
    visit, condition = np.concatenate([visit, missing]), np.concatenate([condition, principal[missing]])
    order = np.lexsort((condition, visit))
    visit, condition = visit[order], condition[order]
    habit = usual[patients.owner[visit], condition]
    usual_code = chronic[condition] & (rng.random(visit.size) < 0.88)
    uniform = np.where(usual_code, habit, rng.random(visit.size))
    for power in (1, 2):
        again = np.flatnonzero(rng.random(visit.size) < several[condition] ** power)
        visit = np.concatenate([visit, visit[again]])
        condition = np.concatenate([condition, condition[again]])
        uniform = np.concatenate([uniform, rng.random(again.size)])
    return visit, condition, uniform


def _contains(visit: IntArray, condition: IntArray, wanted: IntArray, shape: tuple[int, ...]) -> BoolArray:
    listed = np.zeros(shape, dtype=bool)
    listed[visit, condition] = True
    return listed[np.arange(shape[0]), wanted]


def _choose(codes: dict[int, Codes], version: IntArray, owner: IntArray, uniform: FloatArray) -> IntArray:
    """A code for each row, from the list of its visit's ICD version."""
    chosen = np.zeros(owner.size, dtype=np.int64)
    for number, table in codes.items():
        rows = version == number
        chosen[rows] = table.choices.draw(owner[rows], uniform[rows])
    return chosen


def _fitting(
    knowledge: Knowledge,
    patients: Patients,
    version: IntArray,
    present: BoolArray,
    visit: IntArray,
    condition: IntArray,
    uniform: FloatArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """Visit, condition and a code that fits the patient, for each row; rows that no draw fitted are left out.

    The next draw follows from the last one, so that a patient's usual code stays the same.
    """
    chosen = np.full(visit.size, -1, dtype=np.int64)
    uniform, left = uniform.copy(), np.arange(visit.size)
    female, age = patients.female[patients.owner], patients.visit_age
    for _ in range(_TRIES):
        at = visit[left]
        code = _choose(knowledge.diagnosis, version[at], condition[left], uniform[left])
        fits = np.zeros(left.size, dtype=bool)
        for number, table in knowledge.diagnosis.items():
            rows = np.flatnonzero(version[at] == number)
            fits[rows] = table.limits.fit(code[rows], female[at[rows]], age[at[rows]], present[at[rows]])
        chosen[left[fits]] = code[fits]
        left = left[~fits]
        uniform[left] = (uniform[left] * 1009 + 0.1234) % 1
    done = chosen >= 0
    return visit[done], condition[done], chosen[done]


def _ranked(
    rng: np.random.Generator, visit: IntArray, code: IntArray, first: BoolArray
) -> tuple[IntArray, IntArray]:
    """Each pair once, by visit; those marked `first` lead, the rest follow in a loose order of importance."""
    order = np.lexsort((rng.random(visit.size) - 2.0 * first, visit))
    return visit[order], code[order]


def _procedures(
    rng: np.random.Generator, knowledge: Knowledge, present: BoolArray
) -> tuple[IntArray, IntArray]:
    chance = 1 - np.exp(present.astype(np.float64) @ knowledge.log_no_procedure)
    visit, kind = np.nonzero(rng.random(chance.shape) < chance)
    wide = np.flatnonzero(rng.random(visit.size) < 0.16)  # a further code for the same procedure
    return np.concatenate([visit, visit[wide]]), np.concatenate([kind, kind[wide]])


def _cues(knowledge: Knowledge, version: IntArray, visit: IntArray, code: IntArray) -> FloatArray:
    """(V, cues): what the titles of the visit's diagnoses say."""
    cues_present = np.zeros((version.size, len(knowledge.cues)), dtype=bool)
    for number, table in knowledge.diagnosis.items():
        rows = np.flatnonzero(version[visit] == number)
        lengths = table.cues[code[rows] + 1] - table.cues[code[rows]]
        starts = np.repeat(table.cues[code[rows]] - np.cumsum(lengths) + lengths, lengths)
        cues_present[np.repeat(visit[rows], lengths), table.cue_list[starts + np.arange(lengths.sum())]] = (
            True
        )
    return cues_present


_STRIDE: Final = 16  # admission numbers reserved for a patient: more than the most visits there are
Times = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Stays:
    """When and under which numbers the V visits of P patients are recorded."""

    knowledge: Knowledge
    patients: Patients
    clinic: Clinic
    admitted: Times  # (V,) to the second
    discharged: Times  # (V,)
    subject: IntArray  # (P,)
    hadm: IntArray  # (V,)
    profile: dict[str, Text]  # field to (V,)
    elective: BoolArray  # (V,)

    @property
    def died(self) -> Times:
        """(P,) time of death in hospital, NaT for the living."""
        died = np.full(self.patients.number.size, np.datetime64("NaT", "s"))
        died[self.patients.owner[self.clinic.dead]] = self.discharged[self.clinic.dead]
        return died


def draw_stays(
    rng: np.random.Generator, knowledge: Knowledge, patients: Patients, clinic: Clinic, layout: str
) -> Stays:
    """Place the visits in time and give them their numbers and profile."""
    admitted, discharged = _times(rng, patients, clinic)
    subject, hadm = _identifiers(rng, patients, layout)
    return Stays(
        knowledge=knowledge,
        patients=patients,
        clinic=clinic,
        admitted=admitted,
        discharged=discharged,
        subject=subject,
        hadm=hadm,
        profile=draw_profile(rng, patients, knowledge.population, layout),
        elective=np.asarray([c.elective for c in knowledge.conditions])[clinic.principal],
    )


def _times(rng: np.random.Generator, patients: Patients, clinic: Clinic) -> tuple[Times, Times]:
    """Admission and discharge, seconds; whole years are added to hide the true date, as MIMIC does."""
    years = (patients.shift * 365.25).astype(np.int64)
    day = (patients.first + years)[patients.owner].astype("datetime64[s]")
    minute = np.rint(patients.gap_days * 1440).astype(np.int64) + rng.integers(0, 1440, patients.owner.size)
    admitted = day + (minute * 60).astype("timedelta64[s]")
    length = clinic.length.copy()
    following = np.flatnonzero(np.diff(patients.owner) == 0)  # a visit ends before the next begins
    free = (admitted[following + 1] - admitted[following]).astype(np.int64) / 86400 - 1.0
    length[following] = np.clip(np.minimum(length[following], free), 0.3, None)
    return admitted, admitted + (np.rint(length * 1440).astype(np.int64) * 60).astype("timedelta64[s]")


def _identifiers(rng: np.random.Generator, patients: Patients, layout: str) -> tuple[IntArray, IntArray]:
    """Subject and admission numbers; the latter do not follow time, as in the real tables."""
    base, start = (3, 100_000) if layout == "mimic3" else (10_000_000, 20_000_000)
    step = 7 if layout == "mimic3" else 33
    subject = base + patients.number * step + rng.integers(0, step - 1, patients.number.size)
    slot = np.argsort(rng.random((patients.number.size, _STRIDE)), axis=1)
    return subject, start + patients.number[patients.owner] * _STRIDE + slot[
        patients.owner, patients.visit_no
    ]
