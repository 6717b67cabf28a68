"""Pairs of medication classes that some table lists: our graded clinical rules and the papers' statistical signal.

The two families are read by separate functions and never mixed: a clinical pair is graded, a statistical one
always has severity "unknown". Refuses to know about patients, scores or pages.
"""

from leader_core.interactions.clinical import load_clinical
from leader_core.interactions.statistical import StatisticalSignal, load_statistical, read_statistical
from leader_core.interactions.table import InteractionTable, is_statistical

__all__ = [
    "InteractionTable",
    "StatisticalSignal",
    "is_statistical",
    "load_clinical",
    "load_statistical",
    "read_statistical",
]
