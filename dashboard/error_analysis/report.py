"""The whole error analysis of the chosen cases as one HTML file that opens offline: every view's sections."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard.error_analysis.context import AnalysisContext
from dashboard.error_analysis.registry import VIEWS
from dashboard.report.html import write_page
from dashboard.shared import wording
from dashboard.shared.analysis_text import model_name
from dashboard.shared.formatting import count, day, listing


def button(context: AnalysisContext) -> None:
    """A button that makes the file when it is pressed."""
    st.download_button(
        "Report",
        lambda: write_report(context),
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
