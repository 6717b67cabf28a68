"""Which conditions are present at each visit, what led to it, and how severe it is.

All patients' n-th visits are drawn at once, the visits in order: what lasts stays with the patient.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from train.synthetic_hospital.arrays import BoolArray, FloatArray, IntArray
from train.synthetic_hospital.knowledge import CLUSTERS, ETHNICITIES, Knowledge
from train.synthetic_hospital.patients import Patients

_ONSET_SHARE = 0.10  # share of a chronic condition's probability that a later visit brings
_CHRONIC_WEIGHT = (
    0.6  # how far chronic conditions sway the reason for an admission, against the odds of having it at all
)
_EARLY: Final = 0.2  # log-odds that each year before the usual onset takes away
_CROWD: Final = 0.12  # factor on a rare infection's probability for each one already there
_BIRTHS_APART: Final = 300  # days


def draw_conditions(
    rng: np.random.Generator, knowledge: Knowledge, patients: Patients
) -> tuple[BoolArray, IntArray, FloatArray]:
    """Which conditions are present at each visit, what led to it, and how severe it is."""
    total, count = patients.owner.size, len(knowledge.conditions)
    present = np.zeros((total, count), dtype=bool)
    principal = np.zeros(total, dtype=np.int64)
    severity = np.zeros(total)
    carried = np.zeros((patients.number.size, count), dtype=bool)
    fertile = np.asarray([c.fertile for c in knowledge.conditions])
    last_birth = np.full(patients.number.size, -np.inf)
    for number in range(int(patients.visits.max())):
        rows = np.flatnonzero(patients.visit_no == number)
        who = patients.owner[rows]
        day = patients.gap_days[rows]
        lean = np.stack(
            [_leaning(knowledge, i, patients, who, patients.visit_age[rows]) for i in range(count)], axis=1
        )
        lean[np.ix_(day - last_birth[who] < _BIRTHS_APART, fertile)] = -np.inf
        now, reason, severity_now = _one_round(rng, knowledge, patients, who, lean, carried[who], number == 0)
        last_birth[who[fertile[reason]]] = day[fertile[reason]]
        present[rows], principal[rows], severity[rows] = now, reason, severity_now
        for i, condition in enumerate(knowledge.conditions):
            if condition.stage == "chronic":
                carried[who, i] |= now[:, i]
            if condition.becomes:
                carried[who, knowledge.index[condition.becomes]] |= now[:, i]
    return present, principal, severity


def _one_round(
    rng: np.random.Generator,
    knowledge: Knowledge,
    patients: Patients,
    who: IntArray,
    lean: FloatArray,
    carried: BoolArray,
    first: bool,
) -> tuple[BoolArray, IntArray, FloatArray]:
    """The n-th visit of all patients who have one."""
    now = carried.copy()
    severity = 1.05 * rng.normal(size=who.size) + 0.25 * patients.latent[who, CLUSTERS.index("frailty")] - 0.3
    chronic = [i for i, c in enumerate(knowledge.conditions) if c.stage == "chronic"]
    for i in chronic:
        chance = _chance(knowledge, i, lean, now, severity) * (1.0 if first else _ONSET_SHARE)
        now[:, i] |= (rng.random(who.size) < chance) & ~_excluded(knowledge, i, now)
    principal = _reason(rng, knowledge, lean, now)
    now[np.arange(who.size), principal] = True
    severity += np.asarray([c.gravity for c in knowledge.conditions])[principal]
    rare = np.asarray([c.rare_infection for c in knowledge.conditions])
    for i, condition in enumerate(knowledge.conditions):
        if condition.stage != "chronic" and condition.rate > 0:
            chance = _chance(knowledge, i, lean, now, severity)
            if condition.rare_infection:
                chance = chance * _CROWD ** now[:, rare].sum(axis=1)
            fresh = (rng.random(who.size) < chance) & ~now[:, i] & ~_excluded(knowledge, i, now)
            now[:, i] |= fresh
            severity += condition.gravity * fresh * 0.6
        if condition.implies:
            now[:, knowledge.index[condition.implies]] |= now[:, i]
    return now, principal, severity


def _leaning(knowledge: Knowledge, i: int, patients: Patients, who: IntArray, age: FloatArray) -> FloatArray:
    """Log-odds that a patient's age, sex, origin and leanings add; minus infinity where it cannot be."""
    c = knowledge.conditions[i]
    value = c.age * np.clip((age - 62) / 10, -4, 3) + c.female * (patients.female[who] - 0.5)
    for name, loading in c.cluster.items():
        value = value + loading * patients.latent[who, CLUSTERS.index(name)]
    for name, effect in c.group.items():
        value = value + effect * (patients.ethnicity[who] == ETHNICITIES.index(name))
    value = value - _EARLY * np.maximum(c.onset - age, 0)
    barred = knowledge.bounds.bar(i, patients.female[who], age)
    if c.sex:
        barred |= patients.female[who] != (c.sex == "F")
    if c.fertile:
        barred |= (age < 18) | (age > 45)
    return np.where(barred, -np.inf, value)


def _raised(knowledge: Knowledge, i: int, now: BoolArray) -> FloatArray:
    effect = np.zeros(now.shape[0])
    for name, value in knowledge.conditions[i].raised.items():
        effect += value * now[:, knowledge.index[name]]
    return effect


def _excluded(knowledge: Knowledge, i: int, now: BoolArray) -> BoolArray:
    """Visits where something is present that condition `i` cannot go with."""
    return np.asarray(now[:, knowledge.excludes[i]].any(axis=1))


def _chance(
    knowledge: Knowledge, i: int, lean: FloatArray, now: BoolArray, severity: FloatArray
) -> FloatArray:
    c = knowledge.conditions[i]
    if c.rate <= 0:
        return np.zeros(now.shape[0])
    if c.rate >= 1:
        return np.ones(now.shape[0])
    logit = np.log(c.rate / (1 - c.rate)) + lean[:, i] + _raised(knowledge, i, now) + c.severity * severity
    return 1 / (1 + np.exp(-logit))


def _reason(rng: np.random.Generator, knowledge: Knowledge, lean: FloatArray, now: BoolArray) -> IntArray:
    """One reason for each admission, by weights that the patient's chronic conditions raise."""
    able = [i for i, c in enumerate(knowledge.conditions) if c.weight > 0]
    score = np.stack(
        [
            np.where(
                _excluded(knowledge, i, now),
                -np.inf,
                np.log(knowledge.conditions[i].weight)
                + lean[:, i]
                + _CHRONIC_WEIGHT * _raised(knowledge, i, now),
            )
            for i in able
        ],
        axis=1,
    )
    score += rng.gumbel(size=score.shape)
    return np.asarray(able)[np.argmax(score, axis=1)]


def decades_and_sex(patients: Patients) -> FloatArray:
    """(V, 2): decades of age from 62, and one half for women, minus one half for men."""
    decades = np.clip((patients.visit_age - 62) / 10, -4, 3)
    return np.stack([decades, patients.female[patients.owner] - 0.5], axis=1)
