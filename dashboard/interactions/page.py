"""Interactions: the alerts of a set of a case as a list, graph, safer set, structures and matrix; without a case, a checker.

Clinical alerts and the statistical signal stand in views of their own and are never mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from dashboard.interactions import (
    alert_list,
    checker,
    graph,
    matrix,
    safer_set,
    sets,
    statistical,
    structures,
)
from dashboard.interactions.sets import ReviewedSet, Sets
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, session, url_state, view_switch, wording
from dashboard.shared.page_case import header, open_subject, titles_of
from dashboard.shared.session import Subject
from dashboard.shared.widgets import switch
from leader_core.domain import GRADED

VIEWS: Final[Mapping[str, tuple[str, Callable[[ReviewedSet], None]]]] = {
    "alerts": ("Alerts", alert_list.show),
    "graph": ("Graph", graph.show),
    "safer": ("Safer set", safer_set.show),
    "signal": ("Statistical signal", statistical.show),
    "matrix": ("Whole table", matrix.show),
    "structures": ("Structures", structures.show),
}
"""By the name in the link: its title, and what draws it."""
_CLINICAL: Final = ("alerts", "graph", "safer")
"""What the clinician's view offers; the research view has all, and a link opens any of them."""
_LEVELS: Final = ("contraindicated", "major", "moderate")


_BINDINGS: Final[Mapping[str, url_state.Binding]] = {
    "set": url_state.Binding.choice(sets.UNION, sets.LABELS),
    "part": url_state.Binding.choice("alerts", VIEWS),
    "severity": url_state.Binding.some(_LEVELS, GRADED, ","),
    "pair": url_state.Binding.pattern(f"{sets.CODE}-{sets.CODE}", None),
    "about": url_state.Binding.pattern(sets.CODE, None),
    **safer_set.BINDINGS,
    **matrix.BINDINGS,
}


def draw() -> None:
    service = get_service()
    if checker.wanted():
        checker.draw(service)
        return
    subject = open_subject(service, "interactions")
    if subject is None:
        return
    url_state.enter(f"interactions {subject.query}", _BINDINGS)
    with header(subject, "prompt", wording.PROMPT_LINK):
        checker.open_button()
    session.remember_open_case(session.query_for(subject))
    _body(service, subject)


def _body(service: Service, subject: Subject) -> None:
    of_case = sets.of_case(service, subject)
    with st.container():  # every part has a place of its own, whatever the others show
        for text, name in of_case.missing:
            st.html(markup.callout(text, name))
    if not of_case.codes:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="which"):
        chosen = _set(of_case)
    _show(_reviewed(service, subject, of_case, chosen))
    url_state.publish("interactions", {**session.query_for(subject), **url_state.written(_BINDINGS)})


def _set(of_case: Sets) -> str:
    """The chosen set, or the widest there is while it is not there yet."""
    names = list(of_case.codes)
    chosen = switch(
        "Alerts of", {name: sets.LABELS[name] for name in names}, **url_state.mirror("set", names)
    )
    return str(chosen) if chosen in names else names[-1]


def _reviewed(service: Service, subject: Subject, of_case: Sets, name: str) -> ReviewedSet:
    codes = of_case.codes[name]
    title = titles_of(service)
    return ReviewedSet(
        service=service,
        subject=subject,
        sets=of_case,
        name=name,
        codes=codes,
        review=of_case.known.review(codes),
        titles=lambda code: title("medication", code),
        unit=wording.unit(service.engine.cohort.fingerprint.atc_level),
    )


def _show(reviewed: ReviewedSet) -> None:
    """The tabs, and the one that is open."""
    part = st.session_state.get("part")
    shown = {
        name: title
        for name, (title, _) in VIEWS.items()
        if view_switch.is_research() or name in _CLINICAL or name == part
    }
    name = str(switch("View", shown, **url_state.mirror("part", list(shown))))
    with st.container(key=f"view-{name}"):
        VIEWS[name][1](reviewed)
