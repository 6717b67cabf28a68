"""When the visits take place and under which numbers and profile they are recorded.

Refuses to know columns and files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.synthetic_hospital.clinic import Clinic
from train.synthetic_hospital.coding import BoolArray, IntArray
from train.synthetic_hospital.knowledge import Knowledge
from train.synthetic_hospital.patients import Patients, Text, draw_profile

_STRIDE: Final = 16  # admission numbers reserved for a patient: more than the most visits there are
Times = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Stays:
    """The visits of a chunk of P patients, V visits, with everything but codes and orders."""

    know: Knowledge
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
    rng: np.random.Generator, know: Knowledge, patients: Patients, clinic: Clinic, layout: str
) -> Stays:
    """Place the visits in time and give them their numbers and profile."""
    admitted, discharged = _times(rng, patients, clinic)
    subject, hadm = _identifiers(rng, patients, layout)
    return Stays(
        know=know,
        patients=patients,
        clinic=clinic,
        admitted=admitted,
        discharged=discharged,
        subject=subject,
        hadm=hadm,
        profile=draw_profile(rng, patients, know.population, layout),
        elective=np.asarray([c.elective for c in know.conditions])[clinic.principal],
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
