"""The alerts of a set as a list: of chosen severities, what the drugs ordered carry on the left."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.interactions import alerts, sets
from dashboard.interactions.sets import ReviewedSet
from dashboard.server import audit
from dashboard.shared import markup, url_state, wording
from dashboard.shared.case_text import tables_cover
from dashboard.shared.formatting import listing
from dashboard.shared.page_case import titles_of
from leader_core.domain import GRADED
from leader_core.interactions import Review
from leader_core.interactions.review import NotUnderstood


def show(reviewed: ReviewedSet) -> None:
    """Everything about one set of a case."""
    review = reviewed.review
    levels = severities(review)
    parts = alerts.sections(
        review,
        titles_of(reviewed.service),
        sets.SUGGESTED_BY[reviewed.name],
        shown=lambda alert: alert.rank in levels,
    )
    for column, part in zip(st.columns(len(parts), gap="large"), parts, strict=True):
        column.html(part)
    not_understood(reviewed.known.unknown)
    name = reviewed.file_name("csv")
    audit.download_button(
        "Alerts as CSV",
        name,
        lambda: alerts.alerts_csv(review, reviewed.titles),
        name,
        "text/csv",
        key="export",
    )
    st.html(markup.note(tables_cover()))


def severities(review: Review) -> list[str]:
    """The severities to show, as the viewer chose them."""
    ranks = [alert.rank for alert in review.alerts]
    chosen = st.pills(
        "Severity",
        list(GRADED),
        selection_mode="multi",
        **url_state.mirror("severity"),
        label_visibility="collapsed",
        format_func=lambda level: f"{wording.SEVERITY_LABELS[level]} {ranks.count(level)}",
    )
    return list(chosen)


def not_understood(unknown: Sequence[NotUnderstood]) -> None:
    """What was typed and could not be looked up: never silently left out."""
    if unknown:
        texts = listing(f"“{each.text}” {each.reason}" for each in unknown)
        st.html(markup.callout(f"Not looked up: {texts}.", "warn"))
