"""Both models on one case, for Case and New case: cut-offs, the class table, explanations, and tabs of what goes with them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.interactions import cautions, sets
from dashboard.scores import comparison_table, cut_offs, decide_first, explain_panel, notes, trust_panel
from dashboard.scores.trust_text import SimilarResult
from dashboard.server.answers import Scores, all_scores
from dashboard.server.service import Service
from dashboard.shared import comparison, markup, navigation, session, url_state, wording
from dashboard.shared.case_text import table_covers
from dashboard.shared.formatting import count
from dashboard.shared.session import Subject
from dashboard.shared.subject import titles_of
from leader_core import Recommendation
from leader_core.domain import ModelName

_SHOWN: Final = 10
_WARNINGS: Final = 4

Tab = Literal["pairs", "similar", "trust", "notes"]
TABS: Final[Mapping[Tab, str]] = {
    "pairs": "Interactions",
    "similar": "Similar",
    "trust": "Trust",
    "notes": "Notes",
}
_TAB: Final = "tab"
_LINKED: Final = {_TAB: url_state.Binding.choice("pairs", TABS), **trust_panel.BINDINGS}
BINDINGS: Final = {**_LINKED, **cut_offs.BINDINGS, **explain_panel.BINDINGS}

Export = Callable[[Mapping[ModelName, Recommendation], SimilarResult], None]
"""Draws the export button of a page for the scores and neighbours that its panel shows."""


def show(service: Service, subject: Subject, page: str, export: Export) -> None:
    """Scores, cut-offs, the comparison table and the interactions, for the page "case" or "new"."""
    query = session.url_query() if page == "case" else st.query_params.to_dict()
    url_state.enter(identity(subject, page), BINDINGS, {**open_tab(), **query})
    _panel(service, subject, page, export)


def identity(subject: Subject, page: str) -> str:
    """What the page is about: another case means that its values are read from the link again."""
    return f"{page} {id(subject.case) if subject.source == 'draft' else subject.query}"


def open_tab() -> dict[str, str]:
    """The tab that is open, for a link that names none: it stays open from case to case."""
    return {_TAB: st.session_state[_TAB]} if _TAB in st.session_state else {}


def _panel(service: Service, subject: Subject, page: str, export: Export) -> None:
    scores = all_scores(service, subject.case)
    centre, right = st.columns([2.55, 1], gap="large") if page == "case" else (st.container(), st.container())
    if session.undecided(subject):
        with centre, st.container(key="classes"):
            decide_first.choose(service, subject)
        with right, st.container(key="pairs"):
            _, tabs = _tabs(subject, "pairs")
            with tabs["pairs"]:
                decide_first.own_interactions(service, subject)
            _notes(service, subject, tabs)
        link = {**session.query_for(subject), **url_state.written({_TAB: BINDINGS[_TAB]})}
    else:
        link = _answers(service, subject, scores, centre, right, export)
    session.remember_open_case(link)
    url_state.publish(
        page, link if page == "case" else {k: v for k, v in link.items() if k not in subject.query}
    )


def _answers(
    service: Service,
    subject: Subject,
    scores: Mapping[ModelName, Scores],
    centre: DeltaGenerator,
    right: DeltaGenerator,
    export: Export,
) -> dict[str, str]:
    """What the models say, and what is known of the case; gives the URL parameters of this view."""
    known = subject.source == "cohort" and not session.hidden(subject)
    own = session.decided(subject.key) if known and session.view() == "decide" else None
    near = trust_panel.find_similar(service, subject.case)
    with centre:
        with st.container(key="cut_offs"):
            recommendations = cut_offs.show(service, subject, scores, own, known)
        link = {
            **session.query_for(subject, cut_offs.overrides(service, recommendations)),
            **url_state.written(_LINKED),
        }
        with st.container(key="classes"):
            details = trust_panel.class_details(service, recommendations, near)
            draw_export = functools.partial(
                export, recommendations, trust_panel.similar_result(service, near)
            )
            _table(service, subject, scores, recommendations, known, own, link, details, draw_export)
        with st.container(key="why"):
            explain_panel.show(service, subject, recommendations)
    with right, st.container(key="pairs"):
        opened, tabs = _tabs(subject, "pairs", "similar", "trust")
        with tabs[opened]:
            if opened == "pairs":
                _interactions(service, subject, recommendations, known, link)
            elif opened == "similar":
                trust_panel.show_similar(service, subject, recommendations, near)
            elif opened == "trust":
                trust_panel.show_trust(service, recommendations, near)
        _notes(service, subject, tabs)
    return {**link, **explain_panel.query()}


def _tabs(subject: Subject, *names: Tab) -> tuple[Tab, dict[Tab, DeltaGenerator]]:
    """Draw the tabs of these names, and notes for a recorded patient; gives the open one and the containers of all.

    The server knows which is open, so that nothing is computed for the others.
    """
    if subject.patient_id is not None:
        names = (*names, "notes")
    last = st.session_state.get(_TAB)
    opened = last if last in names else names[0]
    key = f"{_TAB}_shown_{'_'.join(names)}"
    st.session_state[key] = TABS[opened]

    def take_over() -> None:
        st.session_state[_TAB] = next((n for n in names if TABS[n] == st.session_state[key]), names[0])

    tabs = st.tabs([TABS[name] for name in names], key=key, on_change=take_over)
    return opened, dict(zip(names, tabs, strict=True))


def _notes(service: Service, subject: Subject, tabs: Mapping[Tab, DeltaGenerator]) -> None:
    """Drawn whichever tab is open: a note half written is in the browser only, and goes with its form."""
    if subject.patient_id is not None:
        with tabs["notes"]:
            notes.show(service, subject.patient_id, subject.case.current.visit_id)


def _table(
    service: Service,
    subject: Subject,
    scores: Mapping[ModelName, Scores],
    recommendations: Mapping[ModelName, Recommendation],
    known: bool,
    own: tuple[str, ...] | None,
    link: Mapping[str, str],
    details: trust_panel.Lines,
    export: Callable[[], None],
) -> None:
    if not recommendations and not (known and subject.case.prescribed):
        return
    case = subject.case
    rows = comparison.rows(
        recommendations.get("teacher"),
        recommendations.get("student"),
        case.prescribed if known else (),
        service.engine.cohort.titles("medication"),
        own or (),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        grouping = st.segmented_control(
            "Group by",
            ["agreement", "area"],
            default="agreement",
            required=True,
            key="grouping",
            label_visibility="collapsed",
            format_func={"agreement": "By agreement", "area": "By therapeutic area"}.__getitem__,
        )
        if own is not None:
            decide_first.start_again(subject)
        st.space("stretch")
        navigation.link("prompt", "The teacher's prompt", link)
        if recommendations:
            export()
    orders = (
        service.engine.cohort.orders(case.current.visit_id)
        if known and case.current.visit_id is not None
        else ()
    )
    comparison_table.show(
        rows,
        scores,
        {name: recommendation.threshold for name, recommendation in recommendations.items()},
        orders,
        subject=str(sorted(subject.query.items())),
        note=wording.scope(service.engine.cohort.fingerprint.atc_level),
        prescribed_known=known,
        by_area=grouping == "area",
        own=own is not None,
        more=details,
    )
    st.html(markup.note(wording.TEACHER_SCORES))


def _interactions(
    service: Service,
    subject: Subject,
    recommendations: Mapping[ModelName, Recommendation],
    known: bool,
    link: Mapping[str, str],
) -> None:
    """Pairs among the selected, most severe first, for one of the sets at a time, and what their conditions add."""
    codes: dict[str, tuple[str, ...]] = {
        name: tuple(m.code for m in r.selected) for name, r in recommendations.items()
    }
    if known and subject.case.prescribed:
        codes["prescribed"] = subject.case.prescribed
    st.html(markup.panel_title("Among the selected", "most severe first"))
    if not codes:
        st.html(markup.note("They appear with the first scores."))
        return
    orders = sets.orders(service, subject) if known else ()
    reviews = {name: sets.review(service, subject, own, orders) for name, own in codes.items()}
    chosen = st.segmented_control(
        "Interactions among",
        list(codes),
        default=next(iter(codes)),
        required=True,
        key=f"pairs_of_{'_'.join(codes)}",
        persist_state="page",
        label_visibility="collapsed",
        width="stretch",
        format_func=lambda name: f"{sets.LABELS[name]} {len(reviews[name].pairs_not_ruled_out)}",
    )
    review = reviews.get(str(chosen), next(iter(reviews.values())))
    titles = titles_of(service)
    pairs = review.pairs_not_ruled_out
    if pairs:
        st.html(cautions.pairs(pairs[:_SHOWN], titles))
    else:
        st.html(markup.note(wording.NO_PAIR))
    more = f"{len(pairs) - _SHOWN} more, and the graph" if len(pairs) > _SHOWN else "Details and graph"
    navigation.link("interactions", more, {**link, "set": str(chosen)})
    if ruled_out := len(review.pairs) - len(pairs):
        unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
        text = f"{count(ruled_out, 'more pair')} of these {unit.many}: not carried by the drugs ordered in this visit."
        st.html(markup.note(text))
    if review.conditions:
        st.html(
            markup.panel_title("Against the conditions")
            + cautions.conditions(review.conditions, titles, most=_WARNINGS)
        )
    st.html(markup.note(table_covers(service.engine.cohort.interactions)))
