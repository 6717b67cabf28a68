"""Pairs of medication classes that some table lists: our graded rules and the papers' statistical signal.

The two families are read by separate functions and never mixed: a clinical pair is graded, a statistical one
always has severity "unknown". Refuses to know about patients, scores or pages.
"""

from leader_core.interactions.conditions import (
    ConditionWarning,
    Duplication,
    condition_warnings,
    duplications,
)
from leader_core.interactions.pairs import (
    PairRule,
    WithinClass,
    load_clinical,
    load_within_class,
    pair_rules,
    rules_between,
)
from leader_core.interactions.review import (
    ConditionReview,
    Coverage,
    Ordered,
    OrderedDrug,
    PairReview,
    Review,
    RuleReview,
    coverage,
    pair_review,
    review,
)
from leader_core.interactions.rules import Agent, ClinicalRule, Side, clinical_rules
from leader_core.interactions.statistical import StatisticalSignal, load_statistical, read_statistical
from leader_core.interactions.table import InteractionTable, is_partial, is_statistical

__all__ = [
    "Agent",
    "ClinicalRule",
    "ConditionReview",
    "ConditionWarning",
    "Coverage",
    "Duplication",
    "InteractionTable",
    "Ordered",
    "OrderedDrug",
    "PairReview",
    "PairRule",
    "Review",
    "RuleReview",
    "Side",
    "StatisticalSignal",
    "WithinClass",
    "clinical_rules",
    "condition_warnings",
    "coverage",
    "duplications",
    "is_partial",
    "is_statistical",
    "load_clinical",
    "load_statistical",
    "load_within_class",
    "pair_review",
    "pair_rules",
    "read_statistical",
    "review",
    "rules_between",
]
