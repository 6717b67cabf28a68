"""The banner of a case, which stays in sight: who the patient is, main problems, coded allergies and current drugs."""

from __future__ import annotations

from typing import Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import sets
from dashboard.server.service import Service
from dashboard.shared import case_text
from dashboard.shared.case_text import Coded
from dashboard.shared.session import Subject
from dashboard.shared.subject import case_title, titles_of
from dashboard.shared.templates import render

_PROBLEMS: Final = 8
_DRUGS: Final = 14
"""As many as a wide window shows in its line; a narrow one cuts the line earlier, and says how many there are."""


def show(service: Service, subject: Subject) -> None:
    with st.container(key="banner"):
        st.html(banner(service, subject))


def banner(service: Service, subject: Subject) -> Markup:
    """The heading of the page with a line each of problems, allergies and drugs."""
    titles, case = titles_of(service), subject.case
    problems = [
        (case_text.short_title(titles("diagnosis", code)), code)
        for code in dict.fromkeys(case.current.diagnoses)
    ]
    label, drugs = current_drugs(service, subject)
    return render(
        "case/banner.html",
        title=case_title(subject),
        problems=problems,
        allergies=case_text.allergies(case, titles),
        label=label,
        drugs=drugs,
        most_problems=_PROBLEMS,
        most_drugs=_DRUGS,
    )


def current_drugs(service: Service, subject: Subject) -> tuple[str, list[Coded]]:
    """What is ordered in this visit, or where that is not known or not shown what the last visit had, by name."""
    titles, known = titles_of(service), sets.known_drugs(service, subject)
    if known.classes:
        choices = known.review(known.classes).choices
        named = [(choice.drugs[0].name, choice.class_code) for choice in choices if choice.known]
        unnamed = set(known.classes) - {
            code for choice in choices if choice.known for code in choice.class_codes
        }
        return "Ordered now", [*named, *((titles("medication", code), code) for code in sorted(unnamed))]
    if subject.case.history and subject.case.history[-1].medications:
        last = subject.case.history[-1].medications
        return "At the last visit", [(titles("medication", code), code) for code in last]
    return "Ordered now", []
