"""Interactions: the pairs among a set as a list with cards, and as cautions, graph, safer set, structures and matrix.

Clinical alerts and the statistical signal stand in views of their own and are never mixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from dashboard.interactions import matrix_panel, pair_charts, pair_views, review_text, safer_panel, sets
from dashboard.interactions.pair_parts import View
from dashboard.interactions.sets import Sets
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, navigation, session, url_state, wording
from dashboard.shared.guard import fragment
from dashboard.shared.session import Subject
from dashboard.shared.subject import case_title, opened, titles_of

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
    asked = [str(level) for level in text.split(",") if level in review_text.GRADED]
    return asked or None


_BINDINGS: Final[Mapping[str, url_state.Binding]] = {
    "set": url_state.Binding.choice("union", sets.LABELS),
    "view": url_state.Binding.choice("pairs", VIEWS),
    "severity": url_state.Binding(list(_LEVELS), _levels, ",".join),
    "pair": url_state.Binding(None, _pair),
    "about": url_state.Binding(None, _about),
    "classes_only": url_state.Binding.flag(),
    **safer_panel.BINDINGS,
    **matrix_panel.BINDINGS,
}


def draw() -> None:
    service = get_service()
    subject = opened(service, "Interactions")
    if subject is None:
        return
    url_state.enter(f"interactions {subject.query}", _BINDINGS)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(case_title(subject), width="content")
        st.space("stretch")
        navigation.link(
            "case" if subject.source == "cohort" else "new", "Back to the case", session.linked(subject)
        )
        navigation.link("prompt", "Prompt", session.linked(subject))
    session.keep(session.linked(subject))
    fragment(_body)(service, subject)


def _body(service: Service, subject: Subject) -> None:
    found = sets.of(service, subject)
    with st.container():  # every part has a place of its own, whatever the others show
        for text, name in found.missing:
            st.html(markup.callout(text, name))
    if not found.codes:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="which"):
        chosen = _set(found)
        by_orders = bool(found.orders) and not _classes_only(service)
    view = _view(service, subject, found, chosen, by_orders)
    _show(view)
    url_state.publish("interactions", {**session.linked(subject), **_written()})


def _classes_only(service: Service) -> bool:
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    return st.toggle(
        "Ignore what was ordered",
        **url_state.mirror("classes_only"),
        help=f"Show every pair as the {unit.many} have it, without looking at the drugs ordered in this visit.",
    )


def _set(found: Sets) -> str:
    """The set that was asked for, or the widest there is while it is not there yet."""
    names = list(found.codes)
    chosen = st.segmented_control(
        "Pairs among",
        names,
        required=True,
        format_func=sets.LABELS.__getitem__,
        label_visibility="collapsed",
        **url_state.mirror("set", names),
    )
    return str(chosen) if chosen in names else names[-1]


def _view(service: Service, subject: Subject, found: Sets, chosen: str, by_orders: bool) -> View:
    orders = found.orders if by_orders else ()
    named = titles_of(service)
    level = service.engine.cohort.fingerprint.atc_level
    return View(
        service=service,
        subject=subject,
        sets=found,
        chosen=chosen,
        codes=found.codes[chosen],
        review=sets.review(service, subject, found.codes[chosen], orders),
        orders=orders,
        titles=lambda code: named("medication", code),
        unit=wording.unit(level),
    )


def _show(view: View) -> None:
    """The tabs with what each holds, and the one that is open."""
    review = view.review
    standing = len(review.standing)
    numbers = {
        "pairs": f" {standing}",
        "cautions": f" {pair_views.cautions_count(review)}",
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
    drawers: dict[str, Callable[[View], None]] = {
        "pairs": pair_views.pairs,
        "cautions": pair_views.cautions,
        "graph": pair_charts.graph,
        "safer": _safer,
        "structures": pair_views.structures,
        "signal": pair_views.signal,
        "matrix": pair_charts.matrix,
    }
    with st.container(key=f"view-{name}"):
        drawers[str(name) if name in drawers else "pairs"](view)


def _safer(view: View) -> None:
    safer_panel.show(view.service, view.sets.recommendations, view.titles, view.unit)


def _written() -> dict[str, str]:
    """The URL's share of this view: settings of the other views stay out of it."""
    view = st.session_state.get("view", "pairs")
    own = {
        "set": True,
        "view": True,
        "classes_only": True,
        "severity": view in ("pairs", "graph"),
        "about": view in ("pairs", "graph"),
        "pair": view not in ("cautions", "safer"),
        **dict.fromkeys(safer_panel.BINDINGS, view == "safer"),
        **dict.fromkeys(matrix_panel.BINDINGS, view == "matrix"),
    }
    return {key: value for key, value in url_state.written(_BINDINGS).items() if own[key]}
