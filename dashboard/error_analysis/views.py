"""The views of the error analysis in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.error_analysis import (
    case_map,
    classes,
    curves,
    drift,
    groups,
    heat,
    influence,
    landing,
    slices,
    tags,
    tree,
    two_models,
)
from dashboard.error_analysis.context import AnalysisContext


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """One view: its title, and what draws it."""

    title: str
    draw: Callable[[AnalysisContext], None]
    by_metric: bool = False  # whether the choice of a metric concerns it


VIEWS: Final[Mapping[str, AnalysisView]] = {
    "findings": AnalysisView("Findings", landing.draw),
    "groups": AnalysisView("Groups", groups.draw, by_metric=True),
    "tree": AnalysisView("Error tree", tree.draw),
    "heat": AnalysisView("Two fields", heat.draw, by_metric=True),
    "classes": AnalysisView("Classes", classes.draw),
    "codes": AnalysisView("Codes and classes", influence.draw),
    "pair": AnalysisView("Two models", two_models.draw),
    "cut": AnalysisView("Cut-off", curves.draw_cut_off),
    "calibration": AnalysisView("Calibration", curves.draw_calibration),
    "map": AnalysisView("Map of cases", case_map.draw),
    "compare": AnalysisView("Compare", slices.draw),
    "drift": AnalysisView("Drift", drift.draw, by_metric=True),
    "notes": AnalysisView("Tags and notes", tags.draw),
}
"""By the name that stands in the page's link."""
