"""Interactions among medications: our graded clinical rules and the statistical signal of published research.

The two families are never mixed: a clinical pair is graded, a statistical one always has severity "unknown".
"""

from leader_core.interactions.class_review import (
    ClassReview,
    ConditionReview,
    PairReview,
    RuleReview,
    TableCoverage,
    coverage,
    pair_review,
    review_classes,
)
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
    review_drugs,
)
from leader_core.interactions.orders import ClassOrders, OrderedDrug, drug_names, ordered_drugs
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
    Alert,
    Carrier,
    Choice,
    Review,
    UnknownDrug,
    choices_of,
    class_choice,
    counts_text,
    drug_choices,
    held_back,
    review,
)
from leader_core.interactions.rules import Agent, ClinicalRule, Side, clinical_rules
from leader_core.interactions.shares import DrugShare, DrugShares, count_shares, typical_shares
from leader_core.interactions.statistical import StatisticalSignal, load_statistical, read_statistical

__all__ = [
    "Agent",
    "Alert",
    "Carrier",
    "Choice",
    "ClassOrders",
    "ClassReview",
    "ClinicalRule",
    "ConditionReview",
    "ConditionWarning",
    "DrugCondition",
    "DrugDuplication",
    "DrugPair",
    "DrugReview",
    "DrugShare",
    "DrugShares",
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
    "UnknownDrug",
    "choices_of",
    "class_choice",
    "clinical_rules",
    "condition_warnings",
    "count_shares",
    "counts_text",
    "coverage",
    "drug_choices",
    "drug_names",
    "duplications",
    "held_back",
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
    "review_classes",
    "review_drugs",
    "typical_shares",
]
