"""Deciding first on a case: the classes to tick before anything is shown, and the alerts of the ticked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from dashboard.interactions import alerts
from dashboard.interactions.sets import KnownDrugs
from dashboard.server.service import Service
from dashboard.shared import comparison, markup, session, wording
from dashboard.shared.formatting import count
from dashboard.shared.page_case import titles_of
from dashboard.shared.session import Subject
from dashboard.shared.templates import component, nothing
from leader_core.interactions import DrugShares
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.synonyms import synonyms

MOST_DRUGS: Final = 60
"""Drugs of a class that can be searched for: more than any class has in use."""


def choose(service: Service, subject: Subject) -> None:
    """Every class of the cohort to tick; the button reveals the models and the record."""
    st.html(markup.panel_title("Decide first", "what would you order?") + markup.note(wording.DECIDE_FIRST))
    own = session.decided(subject.key)
    with st.container(key="decide"):
        result = component("scores/decide_first")(
            key=f"decide-{subject.key}",
            data={
                "subject": subject.key,
                "areas": areas(service.engine.cohort.titles("medication"), service.engine.shares),
                "chosen": list(own),
                "drugs": {code: list(names) for code, names in own.items() if names},
                "label": "Classes to tick, by therapeutic area",
                "searchLabel": "Find a drug or a class to choose",
                "placeholder": "A drug or a class: metoprolol, opioids",
                "chosenLabel": "Chosen so far",
                "hint": "Enter takes the best match",
            },
            on_chosen_change=nothing,
        )
    if result.chosen is not None and result.chosen.get("subject") == subject.key:
        own = _known(service, result.chosen.get("codes"), result.chosen.get("drugs"))
        session.decide(subject.key, own)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="submit"):
        if st.button(
            "Reveal the models and the record", type="primary", icon=":material/visibility:", key="reveal"
        ):
            session.reveal(subject.key)
            st.rerun()
        st.html(markup.note(f"{count(len(own), 'class', 'classes')} chosen"), width="content")


def areas(titles: Mapping[str, str], shares: DrugShares) -> list[dict[str, Any]]:
    """The classes by therapeutic area, in ATC's order, each area by title; each class with the names it is known by."""
    by_area: dict[str, list[dict[str, Any]]] = {}
    for code in sorted(titles, key=lambda c: (c[:1], titles[c].lower(), c)):
        by_area.setdefault(comparison.area(code), []).append(
            {"code": code, "title": titles[code], "terms": _terms(code), "drugs": _drugs(code, shares)}
        )
    return [{"label": label, "classes": classes} for label, classes in by_area.items()]


def _terms(code: str) -> list[str]:
    known = (each for each in synonyms() if each.kind == "medication" and code in each.codes)
    return [term for each in known for term in each.terms]


def _drugs(code: str, shares: DrugShares) -> list[list[str]]:
    """The drugs of a class, most used first, each with its brands after it."""
    ingredients = drug_table().ingredients
    names = [share.name for share in shares.of(code)[:MOST_DRUGS]]
    return [[name, *(ingredients[name].synonyms if name in ingredients else ())] for name in names]


def own_alerts(service: Service, subject: Subject) -> None:
    """Before revealing: the alerts of the viewer's own drugs and classes, and nothing else."""
    own = session.decided(subject.key)
    st.html(markup.panel_title("Alerts of your set"))
    if own:
        drugs = [name for names in own.values() for name in names]
        review = KnownDrugs.of(service.engine, subject.case, drugs, hide=True).review(tuple(own))
        heading = "With the drugs that you chose"
        st.html(alerts.review_html(review, titles_of(service), "a drug of these classes", heading))
    else:
        st.html(markup.note("They appear with the first that you choose."))


def start_again(subject: Subject) -> None:
    """After revealing: a button to begin again."""
    if st.button("Decide again", icon=":material/restart_alt:", type="tertiary", key="decide_again"):
        session.decide_again(subject.key)
        st.rerun()


def _known(service: Service, codes: object, drugs: object) -> dict[str, list[str]]:
    """What the browser sent, without classes that the cohort does not have and drugs that are not of their class."""
    titles, shares = service.engine.cohort.titles("medication"), service.engine.shares
    sent = codes if isinstance(codes, list | tuple) else ()
    named = drugs if isinstance(drugs, dict) else {}
    return {
        code: [share.name for share in shares.of(code) if share.name in named.get(code, ())]
        for code in sent
        if isinstance(code, str) and code in titles
    }
