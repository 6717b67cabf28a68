"""Interactions among medications: our graded clinical rules and the statistical signal of published research.

The two families are never mixed: a clinical pair is graded, a statistical one always has severity "unknown".
"""

from leader_core.interactions.orders import OrderedDrug
from leader_core.interactions.pairs import InteractionTable, is_statistical, load_clinical
from leader_core.interactions.review import (
    Alert,
    Choice,
    Review,
    choices_of,
    class_choice,
    counts_text,
    drug_choices,
    held_back,
    review,
)
from leader_core.interactions.rules import clinical_rules
from leader_core.interactions.shares import DrugShare, DrugShares, typical_shares
from leader_core.interactions.statistical import StatisticalSignal, read_statistical
