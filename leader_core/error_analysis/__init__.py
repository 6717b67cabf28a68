"""Error analysis over stored scores: groups, error tree, classes, cut-offs, calibration, drift; no model runs.

`Analysis` answers every question.
"""

from leader_core.error_analysis.classes import ClassCounts, Reliability, Sweep
from leader_core.error_analysis.comparisons import (
    AnnotatorAgreement,
    ModelAgreement,
    Shift,
    annotator_agreement,
)
from leader_core.error_analysis.findings import ErrorFinding, FindingKind, Findings, find
from leader_core.error_analysis.frame import FIELDS, SENSITIVE, Bools, Choices, Column, Frame, StoredMetrics
from leader_core.error_analysis.groups import (
    FEWEST,
    Grouping,
    GroupScores,
    HeatMap,
    MetricEstimate,
    beyond_chance,
    difference,
)
from leader_core.error_analysis.selection import Condition, Selection, boxed, classed, tightened
from leader_core.error_analysis.stored import Analysis, Lookup
from leader_core.error_analysis.tree import FIELDS as TREE_FIELDS
from leader_core.error_analysis.tree import Node, Tree

__all__ = [
    "FEWEST",
    "FIELDS",
    "SENSITIVE",
    "TREE_FIELDS",
    "Analysis",
    "AnnotatorAgreement",
    "Bools",
    "Choices",
    "ClassCounts",
    "Column",
    "Condition",
    "ErrorFinding",
    "FindingKind",
    "Findings",
    "Frame",
    "GroupScores",
    "Grouping",
    "HeatMap",
    "Lookup",
    "MetricEstimate",
    "ModelAgreement",
    "Node",
    "Reliability",
    "Selection",
    "Shift",
    "StoredMetrics",
    "Sweep",
    "Tree",
    "annotator_agreement",
    "beyond_chance",
    "boxed",
    "classed",
    "difference",
    "find",
    "tightened",
]
