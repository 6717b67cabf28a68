"""Interactions among medications: our graded clinical rules and the statistical signal of published research.

The two families are never mixed: a clinical pair is graded, a statistical one always has severity "unknown".
"""

from leader_core.interactions.orders import ClassOrders, OrderedDrug, drug_names, ordered_drugs
from leader_core.interactions.pairs import (
    InteractionTable,
    PairRule,
    is_partial,
    is_statistical,
    load_clinical,
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
    "ClinicalRule",
    "DrugShare",
    "DrugShares",
    "InteractionTable",
    "OrderedDrug",
    "PairRule",
    "Review",
    "Side",
    "StatisticalSignal",
    "UnknownDrug",
    "choices_of",
    "class_choice",
    "clinical_rules",
    "count_shares",
    "counts_text",
    "drug_choices",
    "drug_names",
    "held_back",
    "is_partial",
    "is_statistical",
    "load_clinical",
    "load_statistical",
    "ordered_drugs",
    "pair_rules",
    "read_statistical",
    "review",
    "typical_shares",
]
