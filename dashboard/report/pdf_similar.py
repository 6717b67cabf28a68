"""Similar training patients and trust on paper: what fits on half a page; the HTML and JSON reports hold the rest.

Refuses to know what is said, which `beside` owns.
"""

from __future__ import annotations

from typing import Final

from dashboard.report.content import Report
from dashboard.report.pdf_page import Page
from dashboard.report.similar_and_trust import SIMILAR, TRUST
from dashboard.scores.evidence_text import ABOUT_SIMILAR
from dashboard.shared import wording
from dashboard.shared.formatting import listing

_CLASSES: Final = 10
_PATIENTS: Final = 5


def beside(page: Page, report: Report) -> None:
    """Both sections."""
    _similar(page, report)
    page.heading(TRUST)
    page.facts(report.trust_facts)
    for part in report.trust:
        page.needs(20)
        page.spans([(wording.MODEL_NAMES[part.name], part.name, 9.5, True)])
        for line in part.told:
            page.spans([(line, "ink", 9, False)], indent=3)
    if any(part.sentences for part in report.trust):
        text = "What validation says of each class stands in the HTML and JSON reports."
        page.text(text, colour="muted", size=8.5)


def _similar(page: Page, report: Report) -> None:
    part = report.similar
    page.heading(SIMILAR)
    page.text(part.told, colour="muted", size=8.5)
    if part.filters:
        page.text(f"Filters: {listing(part.filters)}.", colour="muted", size=8.5)
    for given in part.given[:_CLASSES]:
        here = f", suggested here by {listing(given.suggested)}" if given.suggested else ""
        page.spans(
            [
                (given.title, "ink", 9, False),
                (f"  {given.code}  ", "muted", 8, False),
                (f"given to {given.count} of {given.of}{here}", "ink", 8.5, False),
            ],
            indent=3,
        )
    for neighbour in part.neighbours[:_PATIENTS]:
        told = f"Patient {neighbour.patient_id}, similarity {neighbour.similarity:.2f}: {neighbour.about}"
        page.spans([(told, "muted", 8.5, False)], indent=3)
    if part.neighbours:
        page.text(f"{ABOUT_SIMILAR} The HTML and JSON reports list all of them.", colour="muted", size=8.5)
