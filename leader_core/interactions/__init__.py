"""Pairs of medication classes that some table lists: our graded rules and the papers' statistical signal.

The two families are read by separate functions and never mixed: a clinical pair is graded, a statistical one
always has severity "unknown". Refuses to know about patients, scores or pages.
"""

from leader_core.interactions.cautions import (
    ConditionWarning,
    Duplication,
    condition_warnings,
    duplications,
)
from leader_core.interactions.clinical import (
    WithinClass,
    load_clinical,
    load_within_class,
    rules_between,
)
from leader_core.interactions.rules import Agent, ClinicalRule, Side, clinical_rules
from leader_core.interactions.statistical import StatisticalSignal, load_statistical, read_statistical
from leader_core.interactions.table import InteractionTable, is_partial, is_statistical

__all__ = [
    "Agent",
    "ClinicalRule",
    "ConditionWarning",
    "Duplication",
    "InteractionTable",
    "Side",
    "StatisticalSignal",
    "WithinClass",
    "clinical_rules",
    "condition_warnings",
    "duplications",
    "is_partial",
    "is_statistical",
    "load_clinical",
    "load_statistical",
    "load_within_class",
    "read_statistical",
    "rules_between",
]
