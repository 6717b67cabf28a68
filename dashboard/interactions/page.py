"""Interactions: the pairs among a set as a list with cards, and as cautions, graph, safer set, structures and matrix.

Clinical alerts and the statistical signal stand in views of their own and are never mixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from dashboard.interactions import cautions, graph, matrix, pairs, safer_set, sets, statistical, structures
from dashboard.interactions.sets import ReviewedSet, Sets
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, navigation, session, url_state, wording
from dashboard.shared.session import Subject
from dashboard.shared.subject import case_title, open_subject, titles_of
from leader_core.domain import GRADED

VIEWS: Final[Mapping[str, str]] = {
    "pairs": "Pairs",
    "cautions": "Cautions",
    "graph": "Graph",
    "safer": "Safer set",
    "structures": "Structures",
    "signal": "Statistical signal",
    "matrix": "Whole table",
}
_CODE: Final = r"[A-Z]\d{2}[A-Z0-9]{1,4}"
_LEVELS: Final = ("contraindicated", "major", "moderate")


def _pair(text: str) -> str | None:
    return text if re.fullmatch(f"{_CODE}-{_CODE}", text) else None


def _about(text: str) -> str | None:
    return text if re.fullmatch(_CODE, text) else None


def _levels(text: str) -> list[str] | None:
    levels: list[str] = [level for level in text.split(",") if level in GRADED]
    return levels or None


_BINDINGS: Final[Mapping[str, url_state.Binding]] = {
    "set": url_state.Binding.choice("union", sets.LABELS),
    "view": url_state.Binding.choice("pairs", VIEWS),
    "severity": url_state.Binding(list(_LEVELS), _levels, ",".join),
    "pair": url_state.Binding(None, _pair),
    "about": url_state.Binding(None, _about),
    "classes_only": url_state.Binding.flag(),
    **safer_set.BINDINGS,
    **matrix.BINDINGS,
}


def draw() -> None:
    service = get_service()
    subject = open_subject(service, "Interactions")
    if subject is None:
        return
    url_state.enter(f"interactions {subject.query}", _BINDINGS)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(case_title(subject), width="content")
        st.space("stretch")
        navigation.link(
            "case" if subject.source == "cohort" else "new", "Back to the case", session.query_for(subject)
        )
        navigation.link("prompt", "Prompt", session.query_for(subject))
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
        by_orders = bool(of_case.orders) and not _classes_only(service)
    _show(_reviewed(service, subject, of_case, chosen, by_orders))
    url_state.publish("interactions", {**session.query_for(subject), **_written()})


def _classes_only(service: Service) -> bool:
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    return st.toggle(
        "Ignore what was ordered",
        **url_state.mirror("classes_only"),
        help=f"Show every pair as the {unit.many} have it, without looking at the drugs ordered in this visit.",
    )


def _set(of_case: Sets) -> str:
    """The chosen set, or the widest there is while it is not there yet."""
    names = list(of_case.codes)
    chosen = st.segmented_control(
        "Pairs among",
        names,
        required=True,
        format_func=sets.LABELS.__getitem__,
        label_visibility="collapsed",
        **url_state.mirror("set", names),
    )
    return str(chosen) if chosen in names else names[-1]


def _reviewed(service: Service, subject: Subject, of_case: Sets, name: str, by_orders: bool) -> ReviewedSet:
    codes, orders = of_case.codes[name], of_case.orders if by_orders else ()
    title = titles_of(service)
    return ReviewedSet(
        service=service,
        subject=subject,
        sets=of_case,
        name=name,
        codes=codes,
        review=sets.review(service, subject, codes, orders),
        orders=orders,
        titles=lambda code: title("medication", code),
        unit=wording.unit(service.engine.cohort.fingerprint.atc_level),
    )


def _show(reviewed: ReviewedSet) -> None:
    """The tabs with what each holds, and the one that is open."""
    review = reviewed.review
    numbers = {
        "pairs": f" {len(review.pairs_not_ruled_out)}",
        "cautions": f" {cautions.number(review)}",
        "signal": f" {len(review.signals)}",
    }
    name = st.segmented_control(
        "View",
        list(VIEWS),
        required=True,
        **url_state.mirror("view"),
        label_visibility="collapsed",
        format_func=lambda key: VIEWS[key] + numbers.get(key, ""),
    )
    views: dict[str, Callable[[ReviewedSet], None]] = {
        "pairs": pairs.show,
        "cautions": cautions.show,
        "graph": graph.show,
        "safer": safer_set.show,
        "structures": structures.show,
        "signal": statistical.show,
        "matrix": matrix.show,
    }
    with st.container(key=f"view-{name}"):
        views.get(str(name), pairs.show)(reviewed)


def _written() -> dict[str, str]:
    """What the URL holds of this view: settings of the other views stay out of it."""
    view = st.session_state.get("view", "pairs")
    own = {
        "set": True,
        "view": True,
        "classes_only": True,
        "severity": view in ("pairs", "graph"),
        "about": view in ("pairs", "graph"),
        "pair": view not in ("cautions", "safer"),
        **dict.fromkeys(safer_set.BINDINGS, view == "safer"),
        **dict.fromkeys(matrix.BINDINGS, view == "matrix"),
    }
    return {key: value for key, value in url_state.written(_BINDINGS).items() if own[key]}
