"""Drugs reviewed one by one (ATC level 5): every pair of them, each against the diagnoses, and several of one kind.

`review` judges the classes of a cohort; here nothing is said about a class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from leader_core.domain import GRADED, Interaction, Severity
from leader_core.interactions.conditions import (
    ConditionWarning,
    Duplication,
    condition_warnings,
    duplications,
)
from leader_core.interactions.orders import OrderedDrug
from leader_core.interactions.pairs import InteractionTable, load_clinical
from leader_core.interactions.rules import LEVEL_LENGTH


@dataclass(frozen=True, slots=True)
class DrugPair:
    """Two of the drugs that interact."""

    a: OrderedDrug
    b: OrderedDrug
    entry: Interaction  # of the two drugs, not of their classes


@dataclass(frozen=True, slots=True)
class DrugCondition:
    """A drug that one of the patient's conditions speaks against."""

    drug: OrderedDrug
    warning: ConditionWarning


@dataclass(frozen=True, slots=True)
class DrugDuplication:
    """Several of the drugs that are of one kind."""

    drugs: tuple[OrderedDrug, ...]
    entry: Duplication


@dataclass(frozen=True, slots=True)
class DrugReview:
    """What the tables list about some drugs, each part most severe first. What they do not list is unlisted, never safe."""

    pairs: tuple[DrugPair, ...]
    conditions: tuple[DrugCondition, ...]
    duplications: tuple[DrugDuplication, ...]

    @property
    def counts(self) -> dict[Severity, int]:
        """Findings by severity, most severe first, without those of which there is none."""
        counted = Counter(
            (
                *(pair.entry.severity for pair in self.pairs),
                *(condition.warning.severity for condition in self.conditions),
                *(duplication.entry.severity for duplication in self.duplications),
            )
        )
        return {severity: counted[severity] for severity in GRADED if counted[severity]}


def review_drugs(drugs: Iterable[OrderedDrug], diagnoses: Iterable[str] = ()) -> DrugReview:
    """What the tables list about these drugs, independent of their order.

    A drug with two codes (by mouth and injected) is named once where both say the same.

    Args:
        drugs: those given; a code of level 4 (ATC has none for the drug itself) has no rules.
        diagnoses: the patient's, with their system (`ICD10:E875`).
    """
    given = {drug.code: drug for drug in drugs if len(drug.code) == LEVEL_LENGTH[5]}
    pairs: dict[tuple[frozenset[str], str], DrugPair] = {}
    for entry in _drug_table().among(given):
        pair = DrugPair(given[entry.code_a], given[entry.code_b], entry)
        pairs.setdefault((frozenset((pair.a.name, pair.b.name)), entry.effect), pair)
    conditions: dict[tuple[str, str, str], DrugCondition] = {}
    for warning in condition_warnings(given, diagnoses):
        condition = DrugCondition(given[warning.code], warning)
        conditions.setdefault((condition.drug.name, warning.condition, warning.effect), condition)
    return DrugReview(
        tuple(pairs.values()),
        tuple(conditions.values()),
        tuple(
            DrugDuplication(tuple({given[code].name: given[code] for code in entry.codes}.values()), entry)
            for entry in duplications(given)
        ),
    )


@lru_cache(maxsize=1)
def _drug_table() -> InteractionTable:
    return InteractionTable(load_clinical(5))
