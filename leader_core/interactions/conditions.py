"""Warnings apart from pairs: a drug against one of the patient's conditions, and two drugs of one kind.

Absence of a warning means "not in this table".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from leader_core.domain import GRADED, SEVERITY_RANK, Severity
from leader_core.errors import InputError
from leader_core.interactions.rules import (
    ASSETS,
    EVIDENCE,
    LEVEL_LENGTH,
    Agent,
    Side,
    agents,
    capped,
    check_row,
    in_words,
    read_rows,
    read_side,
    with_combinations,
)

CONDITIONS: Final = ASSETS / "conditions.csv"
DUPLICATIONS: Final = ASSETS / "duplications.csv"

SELDOM_IN_CLASS: Final = 1
"""The rarity from which a condition is no warning about a class: one that only cilostazol carries is none about
antithrombotics in heart failure. Over the visits of the MIMIC-III demo this takes the red class warnings from 148 to 75;
12 of the 13 that a drug ordered carried stay."""
_TEXTS: Final = ("effect", "management", "source")
_PREFIX: Final = re.compile(r"ICD(?:9|10):[A-Z0-9]+")
_CACHED_CODES: Final = 4096  # medications whose rules are remembered


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """A drug, or some drugs of a class, that a condition speaks against."""

    side: Side
    condition: str
    diagnoses: tuple[str, ...]  # beginnings of codes: "ICD9:428", "ICD10:I50"
    unless: tuple[str, ...]  # beginnings of codes that lift the rule: a pacemaker
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
    matching: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]] = {}  # diagnoses a rule is about
    warnings = []
    for code in sorted(set(medications)):
        for rule in _rules_about(code):
            key = (rule.diagnoses, rule.unless)
            if key not in matching:
                lifted = any(each.startswith(rule.unless) for each in present)
                about = (each for each in present if each.startswith(rule.diagnoses))
                matching[key] = () if lifted else tuple(about)
            if matching[key]:
                warnings.append(_warning(rule, code, matching[key]))
    return tuple(sorted(warnings, key=lambda w: (SEVERITY_RANK[w.severity], w.code, w.condition)))


def duplications(medications: Iterable[str]) -> tuple[Duplication, ...]:
    """Groups of which two different drugs stand among these ATC level-5 codes, most severe first.

    Codes of classes cannot show this and give nothing.
    """
    given = set(medications)
    result = []
    for rule in duplication_rules():
        taken = [given.intersection(agent.codes) for agent in rule.drugs]
        present = [codes for codes in taken if codes]
        if len(present) > 1:
            codes = tuple(sorted(set[str]().union(*present)))
            result.append(
                Duplication(rule.group, codes, rule.severity, rule.effect, rule.management, rule.source)
            )
    return tuple(sorted(result, key=lambda d: (SEVERITY_RANK[d.severity], d.group)))


@lru_cache(maxsize=1)
def condition_rules() -> tuple[ConditionRule, ...]:
    """Every rule of the shipped table, in its order."""
    return read_condition_rules(CONDITIONS)


def read_condition_rules(path: Path) -> tuple[ConditionRule, ...]:
    """The rules of a table in the layout of `assets/interactions/conditions.csv`; a bad line raises InputError."""
    return read_rows(path, _condition_rule)


@lru_cache(maxsize=1)
def duplication_rules() -> tuple[DuplicationRule, ...]:
    """Every rule of the shipped table, in its order."""
    return read_rows(DUPLICATIONS, _duplication_rule)


def _condition_rule(row: Mapping[str, str], where: str) -> ConditionRule:
    check_row(row, where, {"severity": GRADED, "evidence": EVIDENCE}, _TEXTS)
    return ConditionRule(
        read_side(row, where, "drug"),
        row["condition"],
        beginnings(row, where, "diagnoses"),
        beginnings(row, where, "unless"),
        cast(Severity, row["severity"]),
        row["effect"],
        row["management"],
        row["evidence"],
        row["source"],
    )


def beginnings(row: Mapping[str, str], where: str, column: str) -> tuple[str, ...]:
    """Beginnings of diagnosis codes with their system, separated by spaces; the column may be absent."""
    prefixes = tuple((row.get(column) or "").split())
    for prefix in prefixes:
        if not _PREFIX.fullmatch(prefix):
            raise InputError(
                f"{where}, column {column}: {prefix!r} is no beginning of a code like ICD10:I50."
            )
    return prefixes


def _duplication_rule(row: Mapping[str, str], where: str) -> DuplicationRule:
    check_row(row, where, {"severity": GRADED}, _TEXTS)
    drugs = with_combinations(agents(row["drugs"], f"{where}, column drugs"))
    severity = cast(Severity, row["severity"])
    return DuplicationRule(row["group"], drugs, severity, row["effect"], row["management"], row["source"])


@lru_cache(maxsize=_CACHED_CODES)
def _rules_about(code: str) -> tuple[ConditionRule, ...]:
    """The rules that a medication's drugs carry, in the table's order."""
    return tuple(rule for rule in condition_rules() if rule.side.carriers_within(code))


def _warning(rule: ConditionRule, code: str, matching: tuple[str, ...]) -> ConditionWarning:
    severity = capped(rule.severity, rule.side.rarity(code), SELDOM_IN_CLASS)
    management = rule.management
    if len(code) < LEVEL_LENGTH[5] and not rule.side.holds_for_all_of(code):
        grade = "" if severity == rule.severity else f" ({rule.severity}; seldom the drug in use)"
        management = f"Only when it is {in_words(rule.side.carriers_within(code))}{grade}: {management}"
    return ConditionWarning(
        code, matching, rule.condition, severity, rule.effect, management, rule.evidence, rule.source
    )
