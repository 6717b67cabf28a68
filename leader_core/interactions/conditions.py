"""Warnings beside pairs: a drug against one of the patient's conditions, and two drugs of one kind.

Refuses to know where medications and diagnoses come from. Absence of a warning means "not in this table".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from leader_core.domain import SEVERITIES, Severity
from leader_core.errors import InputError
from leader_core.interactions.pairs import in_words, rarity, tempered
from leader_core.interactions.rules import (
    ASSETS,
    EVIDENCE,
    GRADED,
    Agent,
    Side,
    agents,
    atc_codes,
    with_combinations,
)

CONDITIONS: Final = ASSETS / "conditions.csv"
DUPLICATIONS: Final = ASSETS / "duplications.csv"

_RANK: Final = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_PREFIX: Final = re.compile(r"ICD(?:9|10):[A-Z0-9]+")
_KEPT_CODES: Final = 4096  # medications whose rules are remembered


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """A drug, or some drugs of a class, that a condition speaks against."""

    side: Side
    condition: str
    diagnoses: tuple[str, ...]  # beginnings of codes: "ICD9:428", "ICD10:I50"
    severity: Severity
    effect: str
    management: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class ConditionWarning:
    """A medication of a case that one of its diagnoses speaks against."""

    code: str  # the medication
    diagnoses: tuple[str, ...]  # the case's own codes that match
    condition: str
    severity: Severity
    effect: str
    management: str  # begins with "Only when it is" where some drugs of the class carry the warning
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class DuplicationRule:
    """Drugs of one kind, of which a patient needs one."""

    group: str
    drugs: tuple[Agent, ...]
    severity: Severity
    effect: str
    management: str
    source: str


@dataclass(frozen=True, slots=True)
class Duplication:
    """Two or more different drugs of one kind in one prescription."""

    group: str
    codes: tuple[str, ...]
    severity: Severity
    effect: str
    management: str
    source: str


def condition_warnings(medications: Iterable[str], diagnoses: Iterable[str]) -> tuple[ConditionWarning, ...]:
    """What the diagnoses speak against among the medications (ATC codes of level 3 to 5), most severe first."""
    present = sorted(set(diagnoses))
    having: dict[tuple[str, ...], tuple[str, ...]] = {}  # which of them a rule's beginnings of codes mean
    found = []
    for code in sorted(set(medications)):
        for rule in _rules_about(code):
            begins = rule.diagnoses
            if begins not in having:
                having[begins] = tuple(each for each in present if each.startswith(begins))
            if having[begins]:
                found.append(_warning(rule, code, having[begins]))
    return tuple(sorted(found, key=lambda w: (_RANK[w.severity], w.code, w.condition)))


def duplications(medications: Iterable[str]) -> tuple[Duplication, ...]:
    """Groups of which two different drugs stand among these ATC level-5 codes, most severe first.

    Codes of classes cannot show this and give nothing.
    """
    given = set(medications)
    found = []
    for rule in duplication_rules():
        taken = {agent.name: given.intersection(agent.codes) for agent in rule.drugs}
        present = [codes for codes in taken.values() if codes]
        if len(present) > 1:
            codes = tuple(sorted(set[str]().union(*present)))
            found.append(
                Duplication(rule.group, codes, rule.severity, rule.effect, rule.management, rule.source)
            )
    return tuple(sorted(found, key=lambda d: (_RANK[d.severity], d.group)))


@lru_cache(maxsize=1)
def condition_rules() -> tuple[ConditionRule, ...]:
    """Every rule of the shipped table, in its order."""
    return read_condition_rules(CONDITIONS)


def read_condition_rules(path: Path) -> tuple[ConditionRule, ...]:
    """The rules of a table in the layout of `assets/interactions/conditions.csv`; a bad line raises InputError."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return tuple(_condition_rule(row, f"{path.name}, line {reader.line_num}") for row in reader)


@lru_cache(maxsize=1)
def duplication_rules() -> tuple[DuplicationRule, ...]:
    """Every rule of the shipped table, in its order."""
    with DUPLICATIONS.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return tuple(_duplication_rule(row, f"{DUPLICATIONS.name}, line {reader.line_num}") for row in reader)


def _condition_rule(row: Mapping[str, str], where: str) -> ConditionRule:
    _check(row, where)
    if row["evidence"] not in EVIDENCE:
        raise InputError(f"{where}, column evidence: {row['evidence']!r} is none of {', '.join(EVIDENCE)}.")
    prefixes = tuple(row["diagnoses"].split())
    for prefix in prefixes:
        if not _PREFIX.fullmatch(prefix):
            raise InputError(
                f"{where}, column diagnoses: {prefix!r} is no beginning of a code like ICD10:I50."
            )
    side = Side(
        row["drug"],
        atc_codes(row["codes"], f"{where}, column codes"),
        with_combinations(agents(row["carriers"], f"{where}, column carriers")),
        agents(row["spared"], f"{where}, column spared"),
    )
    severity = cast(Severity, row["severity"])
    texts = (row["effect"], row["management"], row["evidence"], row["source"])
    return ConditionRule(side, row["condition"], prefixes, severity, *texts)


def _duplication_rule(row: Mapping[str, str], where: str) -> DuplicationRule:
    _check(row, where)
    drugs = agents(row["drugs"], f"{where}, column drugs")
    severity = cast(Severity, row["severity"])
    return DuplicationRule(row["group"], drugs, severity, row["effect"], row["management"], row["source"])


def _check(row: Mapping[str, str], where: str) -> None:
    if row["severity"] not in GRADED:
        raise InputError(f"{where}, column severity: {row['severity']!r} is none of {', '.join(GRADED)}.")
    for name in ("effect", "management", "source"):
        if not row[name].strip():
            raise InputError(f"{where}, column {name}: expected a text, found nothing.")


@lru_cache(maxsize=_KEPT_CODES)
def _rules_about(code: str) -> tuple[ConditionRule, ...]:
    """The rules that a medication's drugs carry, in the table's order."""
    return tuple(rule for rule in condition_rules() if rule.side.carriers_within(code))


def _warning(rule: ConditionRule, code: str, matching: tuple[str, ...]) -> ConditionWarning:
    severity = tempered(rule.severity, rarity(rule.side, code))
    management = rule.management
    if len(code) < len("A00AA00") and not rule.side.holds_for_all_of(code):
        grade = "" if severity == rule.severity else f" ({rule.severity}; seldom the drug in use)"
        management = f"Only when it is {in_words(rule.side.carriers_within(code))}{grade}: {management}"
    return ConditionWarning(
        code, matching, rule.condition, severity, rule.effect, management, rule.evidence, rule.source
    )
