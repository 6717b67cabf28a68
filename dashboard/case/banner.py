"""The banner of a case, which stays in sight: who the patient is, main problems, coded allergies and current drugs."""

from __future__ import annotations

from typing import Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import sets
from dashboard.server.service import Service
from dashboard.shared import case_text, session
from dashboard.shared.case_text import Coded
from dashboard.shared.page_case import case_title, titles_of
from dashboard.shared.session import Subject
from dashboard.shared.templates import render
from leader_core.interactions.safer_set import SERIOUS
from leader_core.terminology.chapters import conditions_first

_PROBLEMS: Final = 12
_DRUGS: Final = 24
"""As many as a wide window shows in its two lines; a narrow one cuts them earlier, and says how many there are."""
_FIRST: Final = ("B01", "C", "A10", "J", "L", "H", "N", "R")
"""ATC groups in the order in which their drugs stand: anticoagulants, heart, diabetes, infection, immune system, hormones,
nervous system, breathing; then the others."""


def show(service: Service, subject: Subject) -> None:
    with st.container(key="banner"):
        st.html(banner(service, subject))


def banner(service: Service, subject: Subject) -> Markup:
    """The heading of the page with a line each of problems, allergies and drugs."""
    titles, case = titles_of(service), subject.case
    problems = [
        (case_text.short_title(titles("diagnosis", code)), code)
        for code in dict.fromkeys(conditions_first(case.current.diagnoses))
    ]
    label, drugs = current_drugs(service, subject)
    return render(
        "case/banner.html",
        title=case_title(subject),
        problems=problems,
        allergies=case_text.allergies(case, titles),
        label=label,
        drugs=drugs,
        absent=_absent(subject),
        most_problems=_PROBLEMS,
        most_drugs=_DRUGS,
    )


def current_drugs(service: Service, subject: Subject) -> tuple[str, list[Coded]]:
    """What is ordered in this visit, or where that is not known or not shown what the last visit had.

    The drugs of a contraindicated or major alert stand first, then the others by therapeutic area.
    """
    titles, known = titles_of(service), sets.known_drugs(service, subject)
    if known.classes:
        review = known.review(known.classes)
        choices = [choice for choice in review.choices if choice.known]
        named = [(choice.drugs[0].name, choice.class_code) for choice in choices]
        unnamed = set(known.classes) - {code for choice in choices for code in choice.class_codes}
        severe = {drug.name for a in review.carried if a.rank in SERIOUS for drug in a.drugs}
        named.sort(key=lambda drug: (drug[0] not in severe, _area(drug[1])))
        return "Ordered now", [*named, *((titles("medication", code), code) for code in sorted(unnamed))]
    if subject.case.history and subject.case.history[-1].medications:
        last = sorted(subject.case.history[-1].medications, key=_area)
        return "At the last visit", [(titles("medication", code), code) for code in last]
    return "Ordered now", []


def _absent(subject: Subject) -> str:
    return "hidden" if session.hidden(subject) and subject.case.prescribed else "nothing is recorded"


def _area(code: str) -> tuple[int, str]:
    """Where a class stands among the drugs of a patient."""
    return next((i for i, start in enumerate(_FIRST) if code.startswith(start)), len(_FIRST)), code
