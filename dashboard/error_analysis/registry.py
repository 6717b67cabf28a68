"""The views of the error analysis, in the order in which the page offers them and the report holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.error_analysis import classes, curves, drift, groups, heat, tags, tree, two_models
from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.tables import AnalysisSection


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """One view: its title, and what it draws on screen and puts into the report."""

    title: str
    draw: Callable[[AnalysisContext], None]
    sections: Callable[[AnalysisContext], list[AnalysisSection]]
    by_metric: bool = False  # whether the choice of a metric concerns it


VIEWS: Final[Mapping[str, AnalysisView]] = {
    "groups": AnalysisView("Groups", groups.draw, groups.sections, by_metric=True),
    "tree": AnalysisView("Error tree", tree.draw, tree.sections),
    "heat": AnalysisView("Two fields", heat.draw, heat.sections, by_metric=True),
    "classes": AnalysisView("Classes", classes.draw, classes.sections),
    "pair": AnalysisView("Two models", two_models.draw, two_models.sections),
    "cut": AnalysisView("Cut-off", curves.draw_cut_off, curves.cut_off_sections),
    "calibration": AnalysisView("Calibration", curves.draw_calibration, curves.calibration_sections),
    "drift": AnalysisView("Drift", drift.draw, drift.sections, by_metric=True),
    "notes": AnalysisView("Tags and notes", tags.draw, tags.sections),
}
"""By the name that stands in the page's link."""
