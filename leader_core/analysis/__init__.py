"""Error analysis over stored scores: figures by group, error tree, classes, cut-offs, calibration, drift.

Everything is asked through `Analysis`; nothing here runs a model. Refuses to know about pages.
"""

from leader_core.analysis.agreement import Agreement, agreement
from leader_core.analysis.classes import ClassCounts, Crossed, Reliability
from leader_core.analysis.drift import Shift
from leader_core.analysis.fields import FIELDS, SENSITIVE, Column
from leader_core.analysis.frame import Figures, Frame, Marks
from leader_core.analysis.groups import FEWEST, Estimate, GroupFigures, Grouping
from leader_core.analysis.heat import Heat
from leader_core.analysis.selection import Condition, Selection, classed, tightened
from leader_core.analysis.stored import Analysis, Lookup
from leader_core.analysis.sweep import Sweep
from leader_core.analysis.tree import Node, Tree

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
