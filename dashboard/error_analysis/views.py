"""The views of the error analysis in the order of the page, and the report that holds them all in one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import streamlit as st

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
from dashboard.error_analysis.tables import AnalysisSection
from dashboard.report.html import write_page
from dashboard.server import audit
from dashboard.shared import wording
from dashboard.shared.analysis_text import model_name
from dashboard.shared.formatting import count, day, listing


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """One view: its title, and what it draws on screen and puts into the report."""

    title: str
    draw: Callable[[AnalysisContext], None]
    sections: Callable[[AnalysisContext], list[AnalysisSection]]
    by_metric: bool = False  # whether the choice of a metric concerns it


VIEWS: Final[Mapping[str, AnalysisView]] = {
    "findings": AnalysisView("Findings", landing.draw, landing.sections),
    "groups": AnalysisView("Groups", groups.draw, groups.sections, by_metric=True),
    "tree": AnalysisView("Error tree", tree.draw, tree.sections),
    "heat": AnalysisView("Two fields", heat.draw, heat.sections, by_metric=True),
    "classes": AnalysisView("Classes", classes.draw, classes.sections),
    "codes": AnalysisView("Codes and classes", influence.draw, lambda _: []),
    "pair": AnalysisView("Two models", two_models.draw, two_models.sections),
    "cut": AnalysisView("Cut-off", curves.draw_cut_off, curves.cut_off_sections),
    "calibration": AnalysisView("Calibration", curves.draw_calibration, curves.calibration_sections),
    "map": AnalysisView("Map of cases", case_map.draw, case_map.sections),
    "compare": AnalysisView("Compare", slices.draw, slices.sections),
    "drift": AnalysisView("Drift", drift.draw, drift.sections, by_metric=True),
    "notes": AnalysisView("Tags and notes", tags.draw, tags.sections),
}
"""By the name that stands in the page's link."""


def report_button(context: AnalysisContext) -> None:
    """A button that makes the file when it is pressed."""
    st.download_button(
        "Report",
        audit.exporting("error analysis, report", lambda: write_report(context)),
        file_name=f"leader-error-analysis-{datetime.now(UTC):%Y-%m-%d}.html",
        mime="text/html",
        icon=":material/description:",
        type="tertiary",
        key="errors-report",
        on_click="ignore",
        help="Every view of the chosen cases and models in one file that opens offline.",
    )


def write_report(context: AnalysisContext) -> bytes:
    """UTF-8 HTML; everything that comes from data is escaped by the template."""
    conditions = "; ".join(map(context.describe, context.selection.conditions)) or "all scored cases"
    sections = [section for view in VIEWS.values() for section in view.sections(context)]
    return write_page(
        "error_analysis/report.html",
        title="Error analysis",
        subtitle=f"{listing(map(model_name, context.models))} on {conditions}",
        made_at=datetime.now(UTC),
        fingerprint=context.service.engine.cohort.fingerprint,
        facts=_facts(context, conditions),
        sections=[section for section in sections if section.text or section.table],
    )


def _facts(context: AnalysisContext, conditions: str) -> list[tuple[str, str]]:
    """What was analysed: data, cases, models."""
    fingerprint = context.service.engine.cohort.fingerprint
    facts = [
        ("Data", wording.data_kind(fingerprint.synthetic, fingerprint.label)),
        ("Cases", f"{conditions}: {count(int(context.within.sum()), 'case')}"),
        ("Cohort", f"{fingerprint.label}, {fingerprint.patients:,} patients"),
    ]
    for name, model in context.analysis.models.items():
        text = f"cut-off {model.threshold:.2f}, scored {day(model.scored_at)}, {count(model.cases, 'case')}"
        facts.append((model_name(name), text + (f", weights {model.digest[:12]}" if model.digest else "")))
    return [
        *facts,
        ("Intervals", "95 %, bootstrap over patients; small groups are drawn faint, not left out"),
    ]
