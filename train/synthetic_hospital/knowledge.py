"""The knowledge tables of the synthetic hospital: conditions, their codes, procedures, medications and cues in titles.

Reads the tables in `knowledge/`; a name or code in them that does not exist is an error.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from leader_core.errors import InputError
from train.synthetic_hospital.arrays import BoolArray, FloatArray
from train.synthetic_hospital.codes import CodeChoices, CodeList, Codes, diagnosis_codes, procedure_codes
from train.synthetic_hospital.limits import Bounds, read_limits

FOLDER: Final = Path(__file__).parent / "knowledge"
STAGES: Final = ("chronic", "acute", "state")
CLUSTERS: Final = ("metabolic", "vascular", "lung", "liver", "cancer", "psych", "immune", "renal", "frailty")
ETHNICITIES: Final = ("white", "black", "hispanic", "asian", "other", "unknown")


@dataclass(frozen=True, slots=True)
class HospitalCondition:
    """A disease, complication, status or state of care, as the tables describe it."""

    name: str
    stage: str  # chronic | acute | state
    weight: float  # relative frequency as the reason for admission; 0: never the reason
    rate: float  # probability at the age of 62, all else at its mean; 0: only as reason for admission
    age: float  # log-odds per ten years of age
    female: float  # log-odds of women against men
    sex: str  # '', 'F' or 'M': whom it can befall
    fertile: bool  # only women of childbearing age, and not within ten months of the last time
    onset: float  # age below which it becomes rare; 0: none
    severity: float  # log-odds per unit of the visit's severity
    gravity: float  # what it adds to the visit's severity
    several: float  # probability of a second code for the same condition
    elective: bool
    cluster: Mapping[str, float]
    group: Mapping[str, float]  # log-odds by ethnicity
    raised: Mapping[str, float]  # log-odds by conditions already present
    implies: str
    becomes: str
    excludes: tuple[str, ...]  # conditions that no patient has besides it
    supersedes: tuple[str, ...]  # conditions that are no longer written down once it is there
    lifelong: bool  # hardly ever forgotten when a visit is written up
    rare_infection: bool  # does not come in crowds


@dataclass(frozen=True, slots=True)
class Formulary:
    """The hospital's products: group, route, names."""

    groups: list[str]
    products: CodeChoices  # by group
    names: CodeChoices  # by product
    name: list[str]
    route: list[str]  # by product
    strength: list[str]
    form: list[str]
    diluted: BoolArray
    persistent: BoolArray  # by group
    second: FloatArray  # by group


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything compiled into arrays; drivers are conditions followed by title cues."""

    conditions: tuple[HospitalCondition, ...]
    index: dict[str, int]
    cues: tuple[str, ...]
    log_absent: FloatArray  # (drivers, groups): log(1 - probability that the driver brings the group)
    log_avoid: FloatArray  # (drivers, groups): log of the factor by which it is held back
    log_no_procedure: FloatArray  # (conditions, procedures)
    procedures: tuple[str, ...]
    formulary: Formulary
    extras: Formulary
    diagnosis: dict[int, Codes]  # by ICD version, for the requested versions
    procedure: dict[int, Codes]
    population: dict[str, Any]
    profile: FloatArray  # (2, groups): log-odds of an order per ten years of age, and of women against men
    excludes: BoolArray  # (conditions, conditions): what bars a condition, also through what it implies
    bounds: Bounds  # by condition: whom none of its codes fits


@cache
def load(versions: tuple[int, ...] = (9,)) -> Knowledge:
    """Read and check all tables, with codes of the requested ICD versions.

    Raises:
        InputError: listing every unknown name, code or group in the tables.
    """
    problems: list[str] = []
    raw: dict[str, dict[str, Any]] = {}
    for path in sorted((FOLDER / "conditions").glob("*.toml")):
        raw.update(tomllib.loads(path.read_text(encoding="utf-8")))
    conditions = _order([_condition(name, row, problems) for name, row in raw.items()], problems)
    index = {c.name: i for i, c in enumerate(conditions)}
    procedure_rows = tomllib.loads((FOLDER / "procedures.toml").read_text(encoding="utf-8"))
    cues = tomllib.loads((FOLDER / "cues.toml").read_text(encoding="utf-8"))
    formulary = _formulary("formulary.csv", problems)
    own = [(c.name, raw[c.name]) for c in conditions]
    drivers = [*own, *cues.items()]
    groups = {g: i for i, g in enumerate(formulary.groups)}
    names = {p: i for i, p in enumerate(procedure_rows)}
    log_absent = _effects(drivers, "meds", groups, lambda p: np.log1p(-min(p, 0.995)), problems)
    log_avoid = _effects(drivers, "avoid", groups, lambda p: np.log(max(p, 1e-6)), problems)
    log_no_procedure = _effects(own, "procedures", names, lambda p: np.log1p(-min(p, 0.995)), problems)
    code_lists = [
        CodeList(c.name, raw[c.name].get("codes", ""), c.fertile, raw[c.name].get("codes10", ""))
        for c in conditions
    ]
    patterns = [row["pattern"] for row in cues.values()]
    limits = read_limits(tuple(index), problems)
    diagnosis = {v: diagnosis_codes(v, code_lists, patterns, limits, problems) for v in versions}
    procedure = {v: procedure_codes(v, procedure_rows, problems) for v in versions}
    profile = _profile_effects(groups, problems)
    if problems:
        raise InputError(
            f"The synthetic hospital's tables hold {len(problems)} problem(s): " + "; ".join(problems[:60])
        )
    return Knowledge(
        conditions=conditions,
        index=index,
        cues=tuple(cues),
        log_absent=log_absent,
        log_avoid=log_avoid,
        log_no_procedure=log_no_procedure,
        procedures=tuple(procedure_rows),
        formulary=formulary,
        extras=_formulary("extras.csv", problems),
        diagnosis=diagnosis,
        procedure=procedure,
        population=tomllib.loads((FOLDER / "population.toml").read_text(encoding="utf-8")),
        profile=profile,
        excludes=_exclusions(conditions, index),
        bounds=Bounds.of([(codes.choices.start, codes.limits) for codes in diagnosis.values()]),
    )


def _exclusions(conditions: tuple[HospitalCondition, ...], index: Mapping[str, int]) -> BoolArray:
    """Both ways round, and what an implied condition excludes."""
    table = np.zeros((len(conditions), len(conditions)), dtype=bool)
    for i, c in enumerate(conditions):
        for name in c.excludes:
            table[i, index[name]] = table[index[name], i] = True
    for i, c in enumerate(conditions):
        if c.implies:
            table[i] |= table[index[c.implies]]
    return table


def _condition(name: str, row: Mapping[str, Any], problems: list[str]) -> HospitalCondition:
    """One table of a condition file; unknown keys and clusters are reported."""
    known = {"kind", "codes", "codes10", "meds", "avoid", "procedures"}
    known |= {field.name for field in fields(HospitalCondition)} - {"name", "stage"}
    problems += [f"{name}: unknown key {key!r}" for key in row if key not in known]
    problems += [f"{name}: unknown cluster {key!r}" for key in row.get("cluster", {}) if key not in CLUSTERS]
    problems += [f"{name}: unknown group {key!r}" for key in row.get("group", {}) if key not in ETHNICITIES]
    stage = row.get("kind", "acute")
    if stage not in STAGES:
        problems.append(f"{name}: kind {stage!r}, expected one of {', '.join(STAGES)}")
    number = {
        k: float(row.get(k, 0.0)) for k in ("weight", "rate", "age", "female", "onset", "severity", "gravity")
    }
    return HospitalCondition(
        name=name,
        stage=stage,
        sex="F" if row.get("fertile") else str(row.get("sex", "")),
        fertile=bool(row.get("fertile", False)),
        several=float(row.get("several", 0.08)),
        elective=bool(row.get("elective", False)),
        cluster=dict(row.get("cluster", {})),
        group=dict(row.get("group", {})),
        raised=dict(row.get("raised", {})),
        implies=str(row.get("implies", "")),
        becomes=str(row.get("becomes", "")),
        excludes=tuple(row.get("excludes", ())),
        supersedes=tuple(row.get("supersedes", ())),
        lifelong=bool(row.get("lifelong", False)),
        rare_infection=bool(row.get("rare_infection", False)),
        **number,
    )


def _order(conditions: list[HospitalCondition], problems: list[str]) -> tuple[HospitalCondition, ...]:
    """Chronic, acute, state; within each, what raises another comes first."""
    by_name = {c.name: c for c in conditions}
    for c in conditions:
        others = (*c.raised, *c.excludes, *c.supersedes, *filter(None, (c.implies, c.becomes)))
        problems += [f"{c.name}: refers to unknown condition {o!r}" for o in others if o not in by_name]
    done: dict[str, HospitalCondition] = {}
    for stage in STAGES:
        waiting = [c for c in conditions if c.stage == stage]
        while waiting:
            ready = [
                c for c in waiting if all(o in done or by_name.get(o, c).stage != stage for o in c.raised)
            ]
            if not ready:
                problems.append(
                    "conditions raise each other in a circle: " + ", ".join(c.name for c in waiting)
                )
                ready = waiting
            done.update((c.name, c) for c in ready)
            waiting = [c for c in waiting if c.name not in done]
    return tuple(done.values())


def _effects(
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    key: str,
    names: Mapping[str, int],
    transform: Callable[[float], float],
    problems: list[str],
) -> FloatArray:
    """(rows, names): the numbers of `statin .7, aspirin .5` under a key of each row, transformed; zero for other names."""
    matrix = np.zeros((len(rows), len(names)))
    for i, (where, row) in enumerate(rows):
        for part in filter(None, (piece.strip() for piece in row.get(key, "").split(","))):
            name, _, value = part.partition(" ")
            if name not in names or not value:
                problems.append(f"{where}.{key}: unknown or without a number: {part!r}")
            else:
                matrix[i, names[name]] += transform(float(value))
    return matrix


def _profile_effects(groups: Mapping[str, int], problems: list[str]) -> FloatArray:
    """(2, groups), zero for groups that the table does not name."""
    effects = np.zeros((2, len(groups)))
    with (FOLDER / "profile_effects.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["group"] in groups:
                effects[:, groups[row["group"]]] = float(row["age"] or 0), float(row["female"] or 0)
            else:
                problems.append(f"profile_effects.csv: unknown group {row['group']!r}")
    return effects


def _formulary(file: str, problems: list[str]) -> Formulary:
    """A product table; alternative names weigh 1, 1/3, 1/5, ... in the order given."""
    with (FOLDER / file).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    groups = list(dict.fromkeys(row["group"] for row in rows))
    rows.sort(key=lambda row: groups.index(row["group"]))
    spelled = [row["names"].split("|") for row in rows]
    flags = tomllib.loads((FOLDER / "groups.toml").read_text(encoding="utf-8"))
    persistent, second = set(flags["persistent"].split()), flags["second"]
    if file == "formulary.csv":
        problems += [
            f"groups.toml: unknown group {g!r}" for g in sorted((persistent | set(second)) - set(groups))
        ]
    return Formulary(
        groups=groups,
        products=CodeChoices.build(
            [float(r["weight"]) for r in rows if r["group"] == group] for group in groups
        ),
        names=CodeChoices.build([1.0 / (2 * i + 1) for i in range(len(names))] for names in spelled),
        name=[name for names in spelled for name in names],
        route=[row["route"] for row in rows],
        strength=[row["strength"] for row in rows],
        form=[row["form"] for row in rows],
        diluted=np.array([row["diluted"] == "y" for row in rows]),
        persistent=np.array([group in persistent for group in groups]),
        second=np.array([float(second.get(group, 0.0)) for group in groups]),
    )
