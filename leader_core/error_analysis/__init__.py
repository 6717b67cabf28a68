"""Error analysis over stored scores: figures by group, error tree, classes, cut-offs, calibration, drift.

Everything is asked through `Analysis`; nothing here runs a model. Refuses to know about pages.
"""

from leader_core.error_analysis.agreement import Agreement, agreement
from leader_core.error_analysis.classes import ClassCounts, Crossed, Reliability
from leader_core.error_analysis.drift import Shift
from leader_core.error_analysis.fields import FIELDS, SENSITIVE, Column
from leader_core.error_analysis.frame import Figures, Frame, Marks
from leader_core.error_analysis.groups import FEWEST, Estimate, GroupFigures, Grouping
from leader_core.error_analysis.heat import Heat
from leader_core.error_analysis.selection import Condition, Selection, classed, tightened
from leader_core.error_analysis.stored import Analysis, Lookup
from leader_core.error_analysis.sweep import Sweep
from leader_core.error_analysis.tree import Node, Tree

__all__ = [
    "FEWEST",
    "FIELDS",
    "SENSITIVE",
    "Agreement",
    "Analysis",
    "ClassCounts",
    "Column",
    "Condition",
    "Crossed",
    "Estimate",
    "Figures",
    "Frame",
    "GroupFigures",
    "Grouping",
    "Heat",
    "Lookup",
    "Marks",
    "Node",
    "Reliability",
    "Selection",
    "Shift",
    "Sweep",
    "Tree",
    "agreement",
    "classed",
    "tightened",
]
