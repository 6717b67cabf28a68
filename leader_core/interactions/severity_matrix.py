"""The rules as arrays over all drugs, so that many drugs and whole classes are looked up at once.

Letters: D drugs (ATC codes of level 5, or 4 where there is none), N choices, R condition rules. A severity is written as
a number: 0 not listed, 1 minor, 2 moderate, 3 major, 4 contraindicated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import GRADED, Severity
from leader_core.interactions.conditions import ConditionRule, condition_rules, duplication_rules
from leader_core.interactions.orders import usual_names
from leader_core.interactions.pairs import drug_pair_severities, ventilated_severities
from leader_core.interactions.rules import is_ventilated

NUMBER: Final[Mapping[str, int]] = {severity: len(GRADED) - i for i, severity in enumerate(GRADED)}
"""Severity -> its number."""
SEVERITY: Final[tuple[Severity, ...]] = ("unknown", *reversed(GRADED))
"""Number -> severity; 0 is not listed."""
LEAST_SHARE: Final[tuple[float, ...]] = (0.0, 0.01, 0.1, 0.5)
"""The part of a class that must carry a severity at least, for it to be shown as minor, moderate, major (from that share
on) and contraindicated (above it): what holds for one drug in a hundred is never red."""
_TOLERANCE: Final = 1e-9
_CACHED_CASES: Final = 4096

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PresentCondition:
    """A condition of a patient, with the rules about it that the diagnoses call up."""

    name: str
    diagnoses: tuple[str, ...]  # the patient's own codes
    rules: tuple[int, ...]  # numbers of condition rules


@dataclass(frozen=True, eq=False)
class SeverityMatrix:
    """Every drug that the tables know, with what each pair of them and each condition means."""

    codes: tuple[str, ...]
    column: Mapping[str, int]
    pairs: NDArray[np.int8]  # (D, D) symmetric: severity of two drugs given together
    conditions: NDArray[np.int8]  # (R, D): severity of a drug under a condition rule

    def condition_severities(self, rules: Iterable[int]) -> NDArray[np.int8]:
        """(D,) the most severe of these condition rules for each drug."""
        return self.conditions[list(rules)].max(0)


def ranks(shares: Float) -> NDArray[np.int8]:
    """(4, ...) shares that carry at least each severity, to the severity that is shown; see `LEAST_SHARE`."""
    rank = (shares[0] > 0).astype(np.int8)
    rank[shares[1] >= LEAST_SHARE[1] - _TOLERANCE] = 2
    rank[shares[2] >= LEAST_SHARE[2] - _TOLERANCE] = 3
    rank[shares[3] > LEAST_SHARE[3] + _TOLERANCE] = 4
    return rank


@cache
def severity_matrix() -> SeverityMatrix:
    """The shipped rules; built once."""
    pairs = drug_pair_severities()
    rules = condition_rules()
    carriers = [rule.side.carrier_codes for rule in rules]
    every = {*usual_names(), *(code for pair in pairs for code in pair), *frozenset[str]().union(*carriers)}
    codes = tuple(sorted(every))
    column = {code: i for i, code in enumerate(codes)}
    matrix = np.zeros((len(codes), len(codes)), np.int8)
    for (a, b), severity in pairs.items():
        matrix[column[a], column[b]] = matrix[column[b], column[a]] = NUMBER[severity]
    conditions = np.zeros((len(rules), len(codes)), np.int8)
    for row, rule in enumerate(rules):
        conditions[row, [column[code] for code in carriers[row]]] = NUMBER[rule.severity]
    return SeverityMatrix(codes, column, matrix, conditions)


@cache
def ventilated_matrix() -> SeverityMatrix:
    """The same for a patient on a ventilator, where some pairs weigh less."""
    matrix = severity_matrix()
    pairs = matrix.pairs.copy()
    for (a, b), severity in ventilated_severities().items():
        pairs[matrix.column[a], matrix.column[b]] = pairs[matrix.column[b], matrix.column[a]] = NUMBER[
            severity
        ]
    return replace(matrix, pairs=pairs)


def pair_severities(diagnoses: Iterable[str]) -> NDArray[np.int8]:
    """(D, D) severity of two drugs given together to a patient with these codes."""
    return (ventilated_matrix() if is_ventilated(diagnoses) else severity_matrix()).pairs


@cache
def condition_rule_numbers() -> Mapping[str, tuple[int, ...]]:
    """Condition -> the numbers of the rules about it."""
    numbers: dict[str, tuple[int, ...]] = {}
    for number, rule in enumerate(condition_rules()):
        numbers[rule.condition] = (*numbers.get(rule.condition, ()), number)
    return numbers


def present_conditions(diagnoses: Iterable[str]) -> tuple[PresentCondition, ...]:
    """The conditions of the table that these diagnoses (with their system) call up, in the table's order."""
    return _present(tuple(sorted(set(diagnoses))))


@lru_cache(maxsize=_CACHED_CASES)
def _present(diagnoses: tuple[str, ...]) -> tuple[PresentCondition, ...]:
    rules: dict[str, list[int]] = defaultdict(list)
    codes: dict[str, dict[str, None]] = defaultdict(dict)
    for number, rule in enumerate(condition_rules()):
        matching = _matching(rule, diagnoses)
        if matching:
            rules[rule.condition].append(number)
            codes[rule.condition].update(dict.fromkeys(matching))
    return tuple(PresentCondition(name, tuple(codes[name]), tuple(own)) for name, own in rules.items())


def _matching(rule: ConditionRule, diagnoses: Sequence[str]) -> tuple[str, ...]:
    """The diagnoses that call a rule up; none where another lifts it."""
    matching = tuple(code for code in diagnoses if code.startswith(rule.diagnoses))
    if matching and rule.unless and any(code.startswith(rule.unless) for code in diagnoses):
        return ()
    return matching


@cache
def groups_of() -> Mapping[str, tuple[tuple[int, int], ...]]:
    """ATC level-5 code -> (duplication rule, drug of the rule) that it stands for."""
    groups: dict[str, tuple[tuple[int, int], ...]] = {}
    for number, rule in enumerate(duplication_rules()):
        for agent, drug in enumerate(rule.drugs):
            for code in drug.codes:
                groups[code] = (*groups.get(code, ()), (number, agent))
    return groups
