"""What the synthetic hospital knows: conditions, their codes, procedures, medications and cues in code titles.

Reads the tables in `train/synth/knowledge/` and checks every code against the terminology libraries' own files.
Refuses to know how a patient is drawn.
"""

from __future__ import annotations

import csv
import re
import tomllib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.errors import InputError
from train.synth.icd import current_codes, equivalences, icd9_titles, icd10_titles

FOLDER: Final = Path(__file__).parent / "knowledge"
STAGES: Final = ("chronic", "acute", "state")
CLUSTERS: Final = ("metabolic", "vascular", "lung", "liver", "cancer", "psych", "immune", "renal", "frailty")
ETHNICITIES: Final = ("white", "black", "hispanic", "asian", "other", "unknown")
_TAIL_LIMIT: Final = 400
_TAIL_SLOPE: Final = 0.8
_RELATIVES: Final = 0.04  # share of a procedure's near relatives
_TAIL_SHARE: Final = 1.6  # scales the tails of all conditions
_UNFIT: Final = re.compile(
    r"newborn|neonat|congenital|juvenile|pediatric|fetus|fetal|infant|childhood|in childbirth|antepartum|"
    r"pregnan|delivery|puerper|obstetric|perinatal"
)

_DENIED: Final = re.compile(
    r"\bwithout\b[^,;]*|\bnon-?(?=rheumatic|traumatic|venomous|infect)\w+|not having achieved"
)
_HARM: Final = re.compile(r"poisoning|adverse effect")

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Condition:
    """A disease, complication, status or state of care, as the tables describe it."""

    name: str
    stage: str  # chronic | acute | state
    weight: float  # relative frequency as the reason for admission; 0: never the reason
    rate: float  # probability at the age of 62, all else at its mean; 0: only as reason for admission
    age: float  # log-odds per ten years of age
    female: float  # log-odds of women against men
    sex: str  # '', 'F' or 'M': whom it can befall
    fertile: bool  # only women of childbearing age
    severity: float  # log-odds per unit of the visit's severity
    gravity: float  # what it adds to the visit's severity
    several: float  # probability of a second code for the same condition
    elective: bool
    cluster: Mapping[str, float]
    group: Mapping[str, float]  # log-odds by ethnicity
    raised: Mapping[str, float]  # log-odds by conditions already present
    implies: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Choices:
    """Weighted alternatives of many owners, laid end to end, so that one search draws for all rows at once."""

    cumulative: FloatArray  # owner index + cumulative share within the owner; ascending
    start: IntArray  # first alternative of each owner; length owners + 1

    @classmethod
    def build(cls, weights: Iterable[Iterable[float]]) -> Choices:
        pieces: list[FloatArray] = []
        start = [0]
        for owner, row in enumerate(weights):
            values = np.asarray(list(row), dtype=np.float64)
            start.append(start[-1] + values.size)
            if values.size:
                share = np.cumsum(values) / values.sum()
                share[-1] = 1.0
                pieces.append(owner + share)
        flat = np.concatenate(pieces) if pieces else np.zeros(0)
        return cls(flat, np.asarray(start, dtype=np.int64))

    def draw(self, owner: IntArray, uniform: FloatArray) -> IntArray:
        """Index of an alternative for each owner, from uniforms in [0, 1)."""
        found = np.searchsorted(self.cumulative, owner + np.minimum(uniform, 1 - 1e-12), side="right")
        return np.minimum(found, self.start[owner + 1] - 1)


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of one kind in one ICD version and how each condition or procedure chooses among them."""

    code: list[str]
    choices: Choices
    cues: NDArray[np.int64]  # for each code, start of its cues in `cue_list`; length codes + 1
    cue_list: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Formulary:
    """The hospital's products: group, route, names."""

    groups: list[str]
    products: Choices  # by group
    names: Choices  # by product
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

    conditions: tuple[Condition, ...]
    index: dict[str, int]
    cues: tuple[str, ...]
    log_absent: FloatArray  # (drivers, groups): log(1 - probability that the driver brings the group)
    log_avoid: FloatArray  # (drivers, groups): log of the factor by which it is held back
    log_no_procedure: FloatArray  # (conditions, procedures)
    procedures: tuple[str, ...]
    formulary: Formulary
    extras: Formulary
    diagnosis: dict[int, Codes]  # by ICD version, for the versions asked for
    procedure: dict[int, Codes]
    population: dict[str, Any]


@cache
def load(versions: tuple[int, ...] = (9,)) -> Knowledge:
    """Read and check all tables, with codes of the ICD versions asked for.

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
    drivers = [raw[c.name] for c in conditions] + list(cues.values())
    where = [c.name for c in conditions] + list(cues)
    groups = {g: i for i, g in enumerate(formulary.groups)}
    names = {p: i for i, p in enumerate(procedure_rows)}
    meds = [
        _pairs(row.get("meds", ""), groups, f"{at}.meds", problems)
        for row, at in zip(drivers, where, strict=True)
    ]
    avoid = [
        _pairs(row.get("avoid", ""), groups, f"{at}.avoid", problems)
        for row, at in zip(drivers, where, strict=True)
    ]
    done = [
        _pairs(raw[c.name].get("procedures", ""), names, f"{c.name}.procedures", problems) for c in conditions
    ]
    heads = [_parse_codes(raw[c.name].get("codes", ""), f"{c.name}.codes", problems) for c in conditions]
    own_tail = [bool(c.fertile) for c in conditions]
    patterns = [re.compile(row["pattern"]) for row in cues.values()]
    diagnosis = {v: _diagnoses(v, conditions, heads, own_tail, patterns, problems) for v in versions}
    procedure = {v: _procedures(v, procedure_rows, problems) for v in versions}
    if problems:
        raise InputError(
            f"The synthetic hospital's tables hold {len(problems)} problem(s): " + "; ".join(problems[:60])
        )
    return Knowledge(
        conditions=conditions,
        index=index,
        cues=tuple(cues),
        log_absent=_matrix(meds, len(groups), lambda p: np.log1p(-min(p, 0.995))),
        log_avoid=_matrix(avoid, len(groups), lambda p: np.log(max(p, 1e-6))),
        log_no_procedure=_matrix(done, len(names), lambda p: np.log1p(-min(p, 0.995))),
        procedures=tuple(procedure_rows),
        formulary=formulary,
        extras=_formulary("extras.csv", problems),
        diagnosis=diagnosis,
        procedure=procedure,
        population=tomllib.loads((FOLDER / "population.toml").read_text(encoding="utf-8")),
    )


def _condition(name: str, row: Mapping[str, Any], problems: list[str]) -> Condition:
    """One table of a condition file; unknown keys and clusters are reported."""
    known = {"kind", "codes", "meds", "avoid", "procedures"} | set(Condition.__dataclass_fields__) - {
        "name",
        "stage",
    }
    problems += [f"{name}: unknown key {key!r}" for key in row if key not in known]
    problems += [f"{name}: unknown cluster {key!r}" for key in row.get("cluster", {}) if key not in CLUSTERS]
    problems += [f"{name}: unknown group {key!r}" for key in row.get("group", {}) if key not in ETHNICITIES]
    stage = row.get("kind", "acute")
    if stage not in STAGES:
        problems.append(f"{name}: kind {stage!r}, expected one of {', '.join(STAGES)}")
    number = {k: float(row.get(k, 0.0)) for k in ("weight", "rate", "age", "female", "severity", "gravity")}
    return Condition(
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
        **number,
    )


def _order(conditions: list[Condition], problems: list[str]) -> tuple[Condition, ...]:
    """Chronic, acute, state; within each, what raises another comes first."""
    by_name = {c.name: c for c in conditions}
    for c in conditions:
        others = (*c.raised, *filter(None, (c.implies, c.becomes)))
        problems += [f"{c.name}: refers to unknown condition {o!r}" for o in others if o not in by_name]
    done: dict[str, Condition] = {}
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


def _pairs(text: str, names: Mapping[str, int], where: str, problems: list[str]) -> list[tuple[int, float]]:
    """'statin .7, aspirin .5' as indices and numbers."""
    found = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = part.partition(" ")
        if name not in names or not value:
            problems.append(f"{where}: unknown or without a number: {part!r}")
        else:
            found.append((names[name], float(value)))
    return found


def _matrix(rows: list[list[tuple[int, float]]], width: int, transform: Any) -> FloatArray:
    matrix = np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        for j, value in row:
            matrix[i, j] += transform(value)
    return matrix


def _parse_codes(text: str, where: str, problems: list[str]) -> tuple[dict[str, float], list[str], float]:
    """'4019:150 4011:6 | 401 405 ~3': weighted codes, prefixes of the long tail, and the tail's weight."""
    head, _, tail = text.partition("|")
    weights: dict[str, float] = {}
    for part in head.split():
        code, _, weight = part.partition(":")
        try:
            weights[code] = weights.get(code, 0.0) + float(weight)
        except ValueError:
            problems.append(f"{where}: {part!r} is not CODE:WEIGHT")
    prefixes = [p for p in tail.split() if not p.startswith("~")]
    share = _TAIL_SHARE * sum(float(p[1:]) for p in tail.split() if p.startswith("~"))
    return weights, prefixes, share


def _zipf(codes: list[str], total: float) -> dict[str, float]:
    """Unequal weights that add up to `total`, in an order fixed by the codes' own digests."""
    ranked = sorted(codes, key=lambda code: zlib.crc32(code.encode()))[:_TAIL_LIMIT]
    weights = 1.0 / np.arange(1, len(ranked) + 1) ** _TAIL_SLOPE
    return dict(zip(ranked, (weights * total / weights.sum()).tolist(), strict=True)) if ranked else {}


def _diagnoses(
    version: int,
    conditions: tuple[Condition, ...],
    heads: list[tuple[dict[str, float], list[str], float]],
    obstetric: list[bool],
    patterns: list[re.Pattern[str]],
    problems: list[str],
) -> Codes:
    """Diagnosis codes of all conditions in one ICD version."""
    titles = icd9_titles("diagnosis")
    owners: list[dict[str, float]] = []
    for condition, (head, prefixes, share), birth in zip(conditions, heads, obstetric, strict=True):
        problems += [
            f"{condition.name}: no ICD-9-CM code {code}"
            for code in head
            if code not in titles and version == 9
        ]
        tail = [
            code
            for code in _beginning(prefixes)
            if code not in head and (birth or not _UNFIT.search(titles[code].lower()))
        ]
        if prefixes and version == 9 and not _beginning(prefixes):
            problems.append(f"{condition.name}: no ICD-9-CM code begins with {' or '.join(prefixes)}")
        owners.append(head | _zipf(tail, share))
    if version == 10:
        owners = [_to_icd10(owner) for owner in owners]
        titles = icd10_titles("diagnosis")
    for condition, owner in zip(conditions, owners, strict=True):
        if condition.stage != "state" and not owner:
            problems.append(f"{condition.name}: no code in ICD-{version}")
    return _codes(owners, titles, patterns)


def _beginning(prefixes: list[str]) -> list[str]:
    """ICD-9-CM diagnosis codes that begin with any of the prefixes; '?' stands for one character."""
    pattern = re.compile("|".join(p.replace("?", ".") for p in prefixes) or r"(?!)")
    return [code for code in icd9_titles("diagnosis") if pattern.match(code)]


def _codes(
    owners: list[dict[str, float]], titles: Mapping[str, str], patterns: list[re.Pattern[str]]
) -> Codes:
    """Lay the owners' codes end to end and look up what each title says."""
    flat = [code for owner in owners for code in owner]
    said: dict[str, list[int]] = {}
    for code in set(flat):
        said[code] = _read_title(titles.get(code, ""), patterns)
    counts = np.array([0] + [len(said[code]) for code in flat], dtype=np.int64)
    listed = np.array([cue for code in flat for cue in said[code]], dtype=np.int64)
    return Codes(flat, Choices.build(owner.values() for owner in owners), np.cumsum(counts), listed)


def _read_title(title: str, patterns: list[re.Pattern[str]]) -> list[int]:
    """Cues in a title; what it denies is left out, and a drug that did harm is not one that is called for."""
    text = _DENIED.sub("", title.lower())
    harm = _HARM.search(text) is not None
    return [
        i
        for i, pattern in enumerate(patterns)
        if pattern.search(text) and (not harm or _HARM.search(pattern.pattern))
    ]


def _to_icd10(owner: Mapping[str, float]) -> dict[str, float]:
    """The same condition's ICD-10-CM codes, by the official equivalence tables, with the reverse ones as a tail."""
    forward, backward = equivalences()
    known = icd10_titles("diagnosis")
    weights: dict[str, float] = {}
    for code, weight in owner.items():
        targets = [t for target in forward.get(code, []) for t in current_codes(target)]
        extra = [t for t in backward.get(code, []) if t in known and t not in targets]
        for target in targets:
            weights[target] = weights.get(target, 0.0) + weight * (0.85 if extra else 1.0) / len(targets)
        for target, part in _zipf(extra, weight * (0.15 if targets else 1.0)).items():
            weights[target] = weights.get(target, 0.0) + part
    return weights


def _procedures(version: int, rows: Mapping[str, Any], problems: list[str]) -> Codes:
    """Procedure codes of one ICD version; near relatives of those named, by a common beginning, form the tail."""
    titles = icd9_titles("procedure") if version == 9 else icd10_titles("procedure")
    common = 3 if version == 9 else 5
    relatives: dict[str, list[str]] = {}
    for code in titles:
        relatives.setdefault(code[:common], []).append(code)
    owners = []
    for name, row in rows.items():
        head, _, _ = _parse_codes(row[f"icd{version}"], f"{name}.icd{version}", problems)
        problems += [f"procedure {name}: no ICD-{version} code {code}" for code in head if code not in titles]
        near = {other for code in head for other in relatives.get(code[:common], []) if other not in head}
        owners.append(head | _zipf(sorted(near), _RELATIVES * sum(head.values())))
    return _codes(owners, titles, [])


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
        products=Choices.build([float(r["weight"]) for r in rows if r["group"] == group] for group in groups),
        names=Choices.build([1.0 / (2 * i + 1) for i in range(len(names))] for names in spelled),
        name=[name for names in spelled for name in names],
        route=[row["route"] for row in rows],
        strength=[row["strength"] for row in rows],
        form=[row["form"] for row in rows],
        diluted=np.array([row["diluted"] == "y" for row in rows]),
        persistent=np.array([group in persistent for group in groups]),
        second=np.array([float(second.get(group, 0.0)) for group in groups]),
    )
