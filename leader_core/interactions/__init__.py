"""Interactions among medications: our graded clinical rules and the statistical signal of published research.

The two families are never mixed: a clinical pair is graded, a statistical one always has severity "unknown".
"""

from leader_core.interactions.conditions import (
    ConditionWarning,
    Duplication,
    condition_warnings,
    duplications,
)
from leader_core.interactions.drug_review import (
    DrugCondition,
    DrugDuplication,
    DrugPair,
    DrugReview,
    drug_names,
    review_drugs,
)
from leader_core.interactions.pairs import (
    InteractionTable,
    PairRule,
    is_partial,
    is_statistical,
    load_clinical,
    load_within_class,
    pair_rules,
)
from leader_core.interactions.review import (
    ClassOrders,
    ConditionReview,
    OrderedDrug,
    PairReview,
    Review,
    RuleReview,
    TableCoverage,
    coverage,
    ordered_drugs,
    pair_review,
    review,
)
from leader_core.interactions.rules import Agent, ClinicalRule, Side, clinical_rules
from leader_core.interactions.statistical import StatisticalSignal, load_statistical, read_statistical

__all__ = [
    "Agent",
    "ClassOrders",
    "ClinicalRule",
    "ConditionReview",
    "ConditionWarning",
    "DrugCondition",
    "DrugDuplication",
    "DrugPair",
    "DrugReview",
    "Duplication",
    "InteractionTable",
    "OrderedDrug",
    "PairReview",
    "PairRule",
    "Review",
    "RuleReview",
    "Side",
    "StatisticalSignal",
    "TableCoverage",
    "clinical_rules",
    "condition_warnings",
    "coverage",
    "drug_names",
    "duplications",
    "is_partial",
    "is_statistical",
    "load_clinical",
    "load_statistical",
    "load_within_class",
    "ordered_drugs",
    "pair_review",
    "pair_rules",
    "read_statistical",
    "review",
    "review_drugs",
]
