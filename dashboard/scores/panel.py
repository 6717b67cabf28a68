"""Both models on one case, for Case and New case, in either view.

The research view has cut-offs, the class table, explanations and tabs; the clinician's has the cards and what follows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.interactions import alert_list, alerts, sets
from dashboard.scores import (
    clinician_cards,
    comparison_table,
    cut_offs,
    decide_first,
    explain_panel,
    notes,
    trust_panel,
)
from dashboard.scores.trust_text import SimilarResult
from dashboard.server.answers import Scores, all_scores
from dashboard.server.service import Service, case_key
from dashboard.shared import comparison, markup, navigation, session, url_state, wording
from dashboard.shared.case_text import tables_cover, unseen_claims
from dashboard.shared.error_messages import show_message
from dashboard.shared.formatting import count, day
from dashboard.shared.page_case import titles_of
from dashboard.shared.session import Subject
from dashboard.shared.templates import render
from dashboard.shared.widgets import switch
from leader_core import Case, Recommendation
from leader_core.domain import ModelName
from leader_core.interactions import Alert

Export = Callable[[Mapping[ModelName, Recommendation], SimilarResult, Collection[str]], None]
"""Draws the export button of a page for the scores, neighbours and classes held back that its panel shows."""

Tab = Literal["pairs", "similar", "trust", "notes"]
TABS: Final[Mapping[Tab, str]] = {
    "pairs": "Alerts",
    "similar": "Similar",
    "trust": "Trust",
    "notes": "Notes",
}
_TAB: Final = "tab"
_LINKED: Final = {_TAB: url_state.Binding.choice("pairs", TABS), **trust_panel.BINDINGS}
_HOLD_SWITCH: Final = "hold_switch"
BINDINGS: Final = {**_LINKED, **cut_offs.BINDINGS, **explain_panel.BINDINGS}


def show(service: Service, subject: Subject, page: str, export: Export) -> None:
    """Scores, cut-offs, the comparison table and the alerts, for the page "case" or "new"."""
    query = session.url_query() if page == "case" else st.query_params.to_dict()
    url_state.enter(identity(subject, page), BINDINGS, {**kept(), **query})
    _panel(service, subject, page, export)


def identity(subject: Subject, page: str) -> str:
    """What the page is about: another case means that its values are read from the link again."""
    return f"{page} {hash(case_key(subject.case)) if subject.source == 'draft' else subject.query}"


def kept() -> dict[str, str]:
    """What stays from case to case where a link does not say: the open tab; the class that a link is about is explained."""
    tab = {_TAB: st.session_state[_TAB]} if _TAB in st.session_state else {}
    focus = {comparison_table.EXPLAINED: code} if (code := session.focused_class()) else {}
    return tab | focus


def _panel(service: Service, subject: Subject, page: str, export: Export) -> None:
    scores = all_scores(service, subject.case)
    centre, right = st.columns([2.55, 1], gap="large") if page == "case" else (st.container(), st.container())
    if session.undecided(subject):
        with centre, st.container(key="classes"):
            decide_first.choose(service, subject)
        with right, st.container(key="pairs"):
            _, tabs = _tabs(subject, "pairs")
            with tabs["pairs"]:
                decide_first.own_alerts(service, subject)
            _notes(service, subject, tabs)
        link = {**session.query_for(subject), **url_state.written({_TAB: BINDINGS[_TAB]})}
    else:
        link = _answers(service, subject, scores, centre, right, export)
    session.remember_open_case(link)
    url_state.publish(page, link if page == "case" else {k: v for k, v in link.items() if k != session.CASE})


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
    own = tuple(session.decided(subject.key)) if known and session.view() == "decide" else None
    near = trust_panel.find_similar(service, subject.case)
    with centre:
        with st.container(key="cut_offs"):
            recommendations, held = cut_offs.show(service, subject, scores, own, known)
        link = {
            **session.query_for(subject, cut_offs.overrides(service, recommendations)),
            **url_state.written(_LINKED),
        }
        with st.container(key="classes"):
            details = trust_panel.class_details(service, recommendations, near)
            draw_export = functools.partial(
                export,
                recommendations,
                trust_panel.similar_result(service, near),
                held if session.holding_back() else (),
            )
            _table(service, subject, scores, recommendations, held, known, own, link, details, draw_export)
        with st.container(key="why"):
            explain_panel.show(service, subject, recommendations)
    with right, st.container(key="pairs"):
        opened, tabs = _tabs(subject, "pairs", "similar", "trust")
        with tabs[opened]:
            if opened == "pairs":
                _alerts(service, subject, recommendations, link)
            elif opened == "similar":
                trust_panel.show_similar(service, subject, recommendations, near)
            elif opened == "trust":
                trust_panel.show_trust(service, recommendations, near)
        _notes(service, subject, tabs)
    return {**link, **explain_panel.query(), **session.focus_query()}


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
    held: Mapping[str, Alert],
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
        recommendations,
        case.prescribed if known else (),
        service.engine.cohort.titles("medication"),
        own or (),
        held if session.holding_back() else (),
    )
    shares = service.engine.shares
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        errors = known and own is None and bool(case.prescribed and recommendations)
        ways = {
            **({"errors": "Errors first"} if errors else {}),
            "agreement": "By agreement",
            "area": "By therapeutic area",
        }
        grouping = switch("Group by", ways, default=next(iter(ways)), key="grouping" if errors else "groups")
        if own is not None:
            decide_first.start_again(subject)
        st.space("stretch")
        navigation.link("prompt", wording.PROMPT_LINK, link)
        if recommendations:
            export()
    _above_the_table(service, held)
    comparison_table.show(
        rows,
        scores,
        {name: recommendation.threshold for name, recommendation in recommendations.items()},
        sets.known_drugs(service, subject).orders,
        subject=identity(subject, "table"),
        note=wording.scope(service.engine.cohort.fingerprint.atc_level),
        prescribed_known=known,
        grouping=grouping,
        own=own is not None,
        more=details,
        shares=lambda code: alerts.class_drugs(shares, code),
        counted=shares.label,
        against=held,
        tagging=notes.tagging(service, subject.patient_id, case.current.visit_id) if known else None,
        focus=session.focused_class() if subject.source == "cohort" else "",
    )
    st.html(markup.note(wording.TEACHER_SCORES))


def _above_the_table(service: Service, held: Mapping[str, Alert]) -> None:
    """The switch for what is held back, and why a tag was not saved; a place of its own, so that the table keeps its own."""
    with st.container():
        if held:
            unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
            number = count(len(held), unit.one, unit.many)
            _hold_back(f"Hold back what the conditions forbid ({number})", wording.HOLD_BACK)
        show_message(notes.TAG_MESSAGE)


def _alerts(
    service: Service,
    subject: Subject,
    recommendations: Mapping[ModelName, Recommendation],
    link: Mapping[str, str],
) -> None:
    """The alerts of one of the sets at a time: of the drugs ordered, then of what could be chosen."""
    known = sets.known_drugs(service, subject)
    codes = sets.named_sets(known, recommendations)
    if not codes:
        st.html(markup.panel_title("Alerts") + markup.note("They appear with the first scores."))
        return
    names, last = (
        {name: "All" if name == sets.UNION else sets.LABELS[name] for name in codes},
        list(codes)[-1],
    )
    key = f"alerts_of_{'_'.join(names)}"
    chosen = switch("Alerts of", names, default=last, key=key, persist_state="page", width="stretch")
    chosen = chosen if chosen in codes else last
    st.html(alerts.review_html(known.review(codes[chosen]), titles_of(service), sets.SUGGESTED_BY[chosen]))
    alert_list.not_understood(known.unknown)
    navigation.link("interactions", "All alerts, graph and safer set", {**link, "set": chosen})
    st.html(markup.note(tables_cover()))


# The clinician's view


def show_clinical(service: Service, subject: Subject, export: Export, *, current: bool = True) -> None:
    """The models' states, the cards, and under them the ways on.

    Args:
        service: the engine behind the page.
        subject: the case as it was scored.
        export: draws the export button.
        current: whether the case on screen is the one that was scored; if not, nothing leads on from it.
    """
    scores = all_scores(service, subject.case)
    recommendations = {
        name: answer.recommendation for name, answer in scores.items() if answer.recommendation is not None
    }
    drugs = sets.known_drugs(service, subject)
    against = sets.held_back(service, subject.case, recommendations, drugs)
    held = against if session.holding_back() else {}
    recommendations = sets.without(recommendations, held)
    _states(service, subject.case, scores)
    recorded = subject.source == "cohort"
    deciding = recorded and session.view() == "decide"
    clinician_cards.show(
        service,
        subject.case,
        recommendations,
        drugs,
        held,
        focus=session.focused_class() if recorded else "",
        own=session.decided(subject.key) if deciding else None,
        link=session.query_for(subject) if current else None,
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="case_files"):
        if deciding:
            decide_first.start_again(subject)
        if against:
            _hold_back("Leave out what this patient's conditions speak against", wording.HOLD_BACK_CLINICIAN)
        if not current:
            return
        if recommendations:
            near = trust_panel.find_similar(service, subject.case)
            export(recommendations, trust_panel.similar_result(service, near), held)


def _hold_back(label: str, meaning: str) -> None:
    """The switch for classes that the patient's conditions forbid; each of the two views has its own choice."""
    st.session_state[_HOLD_SWITCH] = session.holding_back()
    st.toggle(
        label,
        key=_HOLD_SWITCH,
        help=meaning,
        on_change=lambda: session.hold_back(st.session_state[_HOLD_SWITCH]),
    )


def _states(service: Service, case: Case, scores: Mapping[ModelName, Scores]) -> None:
    """Which model has not answered and why, and what one did not read: said plainly, above the cards."""
    lines = [line for name, each in scores.items() for line in _state(service, case, name, each, scores)]
    if lines:
        st.html(render("scores/model_states.html", lines=lines))


def _state(
    service: Service, case: Case, name: ModelName, own: Scores, scores: Mapping[ModelName, Scores]
) -> list[tuple[ModelName, str, str]]:
    """(model, sentence, what stands on hover) for everything that must be known of one model."""
    others = [other for other in scores if other != name and scores[other].recommendation]
    alone = f" Only the {others[0]}'s suggestions are shown." if others else ""
    result = own.recommendation
    if result is None:
        text = {
            "loading": f"The {name} is still loading; its suggestions appear when it is ready.",
            "running": f"The {name} is reading this case.",
            "absent": f"The {name} is not installed here.",
        }.get(own.status, f"The {name} could not read this case.")
        return [(name, text + alone, own.reason)]
    lines = []
    if own.stored_at is not None and own.status != "ready":
        lines.append((name, f"The {name}'s suggestions were stored on {day(own.stored_at)}.", own.reason))
    if result.truncated:
        lines.append((name, cut_offs.cut_text(service, case, name), ""))
    return [
        *lines,
        *(
            (name, f"{claim}: {codes}.", "")
            for claim, codes in unseen_claims(name, result.unseen, coded=False)
        ),
    ]
