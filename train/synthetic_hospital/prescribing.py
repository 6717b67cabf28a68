"""What is ordered at a visit: how likely each group of drugs is for its conditions and the patient, and which products."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from train.synthetic_hospital.arrays import BoolArray, FloatArray, IntArray
from train.synthetic_hospital.conditions import decades_and_sex
from train.synthetic_hospital.knowledge import Formulary, Knowledge
from train.synthetic_hospital.patients import Patients

_HOME_CORRELATION = 0.92  # correlation of the same home medication between visits of one patient
_HOSPITAL_CORRELATION = 0.3  # the same for what is ordered only in the hospital
_AGREEMENT_POWER = 1.3  # odds are raised to this power: clinicians agree more than independent causes would


def order_chance(knowledge: Knowledge, patients: Patients, drivers: BoolArray) -> FloatArray:
    """(V, groups) in (0, 1): probabilities join as independent causes, contraindications hold back, age and sex sway."""
    drive = drivers.astype(np.float64)
    chance = (1 - np.exp(drive @ knowledge.log_absent)) * np.exp(drive @ knowledge.log_avoid)
    odds = (chance / (1 - np.minimum(chance, 1 - 1e-9))) ** _AGREEMENT_POWER
    odds *= np.exp(decades_and_sex(patients) @ knowledge.profile)
    return np.clip(odds / (1 + odds), 1e-9, 1 - 1e-9)


def persistence(drugs: Formulary) -> tuple[FloatArray, FloatArray]:
    """(groups,) twice: correlation of a patient's orders between visits, and how often the product stays the same."""
    return (
        np.where(drugs.persistent, _HOME_CORRELATION, _HOSPITAL_CORRELATION),
        np.where(drugs.persistent, 0.9, 0.3),
    )


def draw_products(
    rng: np.random.Generator, knowledge: Knowledge, patients: Patients, chance: FloatArray
) -> tuple[IntArray, IntArray]:
    """Medication products of each visit: a group is ordered where a patient's lasting and passing leanings add up to it."""
    drugs = knowledge.formulary
    width = len(drugs.groups)
    rho, same = persistence(drugs)
    own = rng.normal(size=(patients.number.size, width))
    liability = np.sqrt(rho) * own[patients.owner] + np.sqrt(1 - rho) * rng.normal(size=chance.shape)
    visit, group = np.nonzero(liability < ndtri(chance))
    usual = rng.random((patients.number.size, width))[patients.owner[visit], group]
    keep = rng.random(visit.size) < same[group]
    product = drugs.products.draw(group, np.where(keep, usual, rng.random(visit.size)))
    more = np.flatnonzero(rng.random(visit.size) < drugs.second[group])
    other = drugs.products.draw(group[more], rng.random(more.size))
    pairs = np.stack([np.concatenate([visit, visit[more]]), np.concatenate([product, other])])
    pairs = np.unique(pairs, axis=1)
    return pairs[0], pairs[1]
