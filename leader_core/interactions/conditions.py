"""The rules apart from pairs: a drug against one of the patient's conditions, and several drugs of one kind.

A patient's conditions are the diagnoses and procedures of the current visit, and of earlier visits the diagnoses that
last (`lasting.csv`): see `findings`. Absence of a rule means "not in this table".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, cast

from leader_core.domain import GRADED, Case, Severity
from leader_core.interactions.rules import (
    ASSETS,
    EVIDENCE,
    Agent,
    Side,
    agents,
    beginnings,
    check_row,
    read_rows,
    read_side,
    sentence,
    with_combinations,
)

_TEXTS: Final = ("effect", "management", "source")


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """A drug, or some drugs of a class, that a condition speaks against."""

    side: Side
    condition: str
    diagnoses: tuple[str, ...]  # beginnings of codes: "ICD9:428", "ICD10:I50"
    unless: tuple[str, ...]  # beginnings of codes that lift the rule: a pacemaker, ventilation
    severity: Severity
    effect: str
    management: str
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


@cache
def condition_rules() -> tuple[ConditionRule, ...]:
    """Every rule of `assets/interactions/conditions.csv`, in its order; a bad line raises InputError."""
    return read_rows(ASSETS / "conditions.csv", read_condition_rule)


@cache
def duplication_rules() -> tuple[DuplicationRule, ...]:
    """Every rule of the shipped table, in its order."""
    return read_rows(ASSETS / "duplications.csv", _duplication_rule)


@cache
def lasting_diagnoses() -> tuple[str, ...]:
    """Beginnings of the diagnosis codes that count from earlier visits too: an allergy, epilepsy, a pacemaker."""

    def parse(row: Mapping[str, str], where: str) -> tuple[str, ...]:
        check_row(row, where, {}, ("condition", "diagnoses"))
        return beginnings(row, where, "diagnoses")

    return tuple(dict.fromkeys(prefix for row in read_rows(ASSETS / "lasting.csv", parse) for prefix in row))


def findings(case: Case) -> tuple[str, ...]:
    """The codes that the rules read of a case: of the current visit all diagnoses and procedures, of earlier ones what lasts."""
    lasting = lasting_diagnoses()
    earlier = (code for visit in case.history for code in visit.diagnoses if code.startswith(lasting))
    return tuple(dict.fromkeys((*case.current.diagnoses, *case.current.procedures, *earlier)))


def read_condition_rule(row: Mapping[str, str], where: str) -> ConditionRule:
    """A rule from its row; InputError where a cell is wrong."""
    check_row(row, where, {"severity": GRADED, "evidence": EVIDENCE}, _TEXTS)
    return ConditionRule(
        read_side(row, where, "drug"),
        row["condition"],
        beginnings(row, where, "diagnoses"),
        beginnings(row, where, "unless"),
        cast(Severity, row["severity"]),
        sentence(row["effect"]),
        sentence(row["management"]),
        row["evidence"],
        row["source"],
    )


def _duplication_rule(row: Mapping[str, str], where: str) -> DuplicationRule:
    check_row(row, where, {"severity": GRADED}, _TEXTS)
    drugs = with_combinations(agents(row["drugs"], f"{where}, column drugs"))
    severity = cast(Severity, row["severity"])
    effect, management = sentence(row["effect"]), sentence(row["management"])
    return DuplicationRule(row["group"], drugs, severity, effect, management, row["source"])
