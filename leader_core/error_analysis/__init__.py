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
from leader_core.error_analysis.frame import FIELDS, Bools, Frame
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
