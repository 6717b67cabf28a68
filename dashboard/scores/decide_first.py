"""Deciding first on a case: the classes to tick before anything is shown, and the alerts of the ticked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import streamlit as st

from dashboard.interactions import alerts, sets
from dashboard.server.service import Service
from dashboard.shared import comparison, markup, session, wording
from dashboard.shared.formatting import count
from dashboard.shared.session import Subject
from dashboard.shared.subject import titles_of
from dashboard.shared.templates import component, nothing
from leader_core.interactions import DrugShares
from leader_core.terminology.drug_table import drug_table
from leader_core.terminology.synonyms import synonyms

MOST_DRUGS: Final = 60
"""Drugs of a class that can be searched for: more than any class has in use."""


def choose(service: Service, subject: Subject) -> None:
    """Every class of the cohort to tick; the button reveals the models and the record."""
    st.html(markup.panel_title("Decide first", "what would you give?") + markup.note(wording.DECIDE_FIRST))
    with st.container(key="decide"):
        result = component("scores/decide_first")(
            key=f"decide-{subject.key}",
            data={
                "subject": subject.key,
                "areas": areas(service.engine.cohort.titles("medication"), service.engine.shares),
                "chosen": list(session.decided(subject.key)),
                "label": "Classes to tick, by therapeutic area",
                "searchLabel": "Find a drug or a class to choose",
                "placeholder": "A drug or a class: metoprolol, opioids",
                "chosenLabel": "Chosen so far",
                "hint": "Enter takes the best match",
            },
            on_chosen_change=nothing,
        )
    if result.chosen is not None and result.chosen.get("subject") == subject.key:
        session.decide(subject.key, _known(service, result.chosen.get("codes", ())))
    own = session.decided(subject.key)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="submit"):
        if st.button(
            "Reveal the models and the record", type="primary", icon=":material/visibility:", key="reveal"
        ):
            session.reveal(subject.key)
            st.rerun()
        st.html(markup.note(f"{count(len(own), 'class', 'classes')} ticked"), width="content")


def areas(titles: Mapping[str, str], shares: DrugShares) -> list[dict[str, Any]]:
    """The classes by therapeutic area, in ATC's order, each area by title; each class with the names it is known by."""
    by_area: dict[str, list[dict[str, Any]]] = {}
    for code in sorted(titles, key=lambda c: (c[:1], titles[c].lower(), c)):
        names = [list(each) for each in _names(code, shares)]
        by_area.setdefault(comparison.area(code), []).append(
            {"code": code, "title": titles[code], "names": names}
        )
    return [{"label": label, "classes": classes} for label, classes in by_area.items()]


def _names(code: str, shares: DrugShares) -> Iterator[tuple[str, ...]]:
    """What a class is found by: other names of the class, then each of its drugs with its brands, most used first."""
    for synonym in synonyms():
        if synonym.kind == "medication" and code in synonym.codes:
            yield from ((term,) for term in synonym.terms)
    brands = drug_table().ingredients
    for share in shares.of(code)[:MOST_DRUGS]:
        drug = brands.get(share.name)
        yield (share.name, *(drug.synonyms if drug is not None else ()))


def own_alerts(service: Service, subject: Subject) -> None:
    """Before revealing: the alerts of the viewer's own classes, and nothing else."""
    own = session.decided(subject.key)
    st.html(markup.panel_title("Alerts of your set"))
    if own:
        review = sets.review(service, subject, own)
        st.html(alerts.review_html(review, titles_of(service), "a drug of these classes"))
    else:
        st.html(markup.note("They appear with the first class that you tick."))


def start_again(subject: Subject) -> None:
    """After revealing: a button to begin again."""
    if st.button("Decide again", icon=":material/restart_alt:", type="tertiary", key="decide_again"):
        session.decide_again(subject.key)
        st.rerun()


def _known(service: Service, codes: object) -> Sequence[str]:
    """What the browser sent, without codes that the cohort does not have."""
    titles = service.engine.cohort.titles("medication")
    return [c for c in codes if isinstance(c, str) and c in titles] if isinstance(codes, list | tuple) else []
