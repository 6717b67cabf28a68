"""A pinned case next to the one that is open: what differs, both cases' scores by one model, and both patients."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.case import patient
from dashboard.scores import case_diff
from dashboard.server import audit
from dashboard.server.answers import scores
from dashboard.server.service import Service
from dashboard.shared import case_text, comparison, markup, session, url_state, wording
from dashboard.shared.formatting import count
from dashboard.shared.page_case import case_title, titles_of
from dashboard.shared.session import Subject
from dashboard.shared.widgets import switch
from leader_core import KINDS, Recommendation
from leader_core.domain import Kind, ModelName

_COMPARED: Final = "beside"
_MODEL: Final = "beside_model"
_PIN: Final = "_pin"
_SHOWN: Final = 20
_CODES_NAMED: Final = 5


BINDINGS: Final = {
    _COMPARED: url_state.Binding.pattern(r"\d{1,18}-\d{1,9}"),
    _MODEL: url_state.Binding.choice("student", wording.MODEL_LABELS),
}


def compared() -> str:
    """The short name of the case that the open one is compared with; empty where there is none."""
    return str(st.session_state.get(_COMPARED) or "")


def tools(subject: Subject) -> None:
    """Pin this case, compare it with the one that is pinned, or leave the comparison."""
    here, pin = subject.key, st.session_state.get(_PIN)
    if compared():
        st.session_state[_PIN] = pin = compared()
        st.button(
            "Leave the comparison", icon=":material/close:", type="tertiary", on_click=_compare, args=("",)
        )
    elif pin and pin != here:
        patient_id, _, visit = pin.partition("-")
        st.button(
            f"Compare with {patient_id}, visit {visit}",
            icon=":material/compare_arrows:",
            on_click=_compare,
            args=(pin,),
            key="compare",
        )
    if pin == here:
        st.button(
            "Unpin", icon=":material/keep_off:", type="tertiary", on_click=_pin, args=(None,), key="unpin"
        )
    else:
        st.button(
            "Pin",
            icon=":material/keep:",
            type="tertiary",
            on_click=_pin,
            args=(here,),
            key="pin",
            help="Pins this case; open another one to compare the two side by side.",
        )


def _compare(name: str) -> None:
    st.session_state[_COMPARED] = name


def _pin(name: str | None) -> None:
    st.session_state[_PIN] = name
    _compare("")


def show(service: Service, subject: Subject) -> None:
    """Two cases side by side: the pinned one left, the open one right."""
    patient_id, _, visit = compared().partition("-")
    other = session.recorded(service, int(patient_id), int(visit))
    audit.record_opened(other.audit_name, "comparison")
    _comparison(service, other, subject)


def _comparison(service: Service, other: Subject, subject: Subject) -> None:
    _header(other)
    _differences(service, other, subject)
    if session.undecided(other) or session.undecided(subject):
        st.html(markup.callout("Decide first is on: the scores of a case appear once you have revealed it."))
    else:
        _scores(service, other, subject)
    for side, column in zip((other, subject), st.columns(2, gap="large"), strict=True):
        with column:
            patient.show(service, side, _name(side))
    link = session.query_for(subject)
    session.remember_open_case(link)
    url_state.publish("case", {**link, **url_state.written(BINDINGS)})


def _header(other: Subject) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pinned_head"):
        st.html(patient.tag("Compared with"), width="content")
        st.html(case_title(other, level=2), width="content")
        st.button(
            "Open this one",
            icon=":material/open_in_full:",
            type="tertiary",
            on_click=session.open_case,
            args=(other.patient_id, other.visit_no),
        )


def _differences(service: Service, other: Subject, subject: Subject) -> None:
    one, two = other.case, subject.case
    titles = titles_of(service)
    fields = [f for f in service.engine.cohort.profile_fields if f in wording.FIELD_LABELS]
    values = [dict(case_text.profile_facts(case, fields)) for case in (one, two)]
    rows: list[tuple[str, ...]] = []
    for name, _, _ in case_diff.profile_changes(one, two, fields):
        label = wording.FIELD_LABELS[name]
        rows.append((label, values[0][label], values[1][label], ""))
    earlier = str(len(one.history)), str(len(two.history))
    rows.append(("Earlier visits", *(("", "", earlier[0]) if earlier[0] == earlier[1] else (*earlier, ""))))
    for kind in KINDS:
        if kind == "medication" and (session.hidden(other) or session.hidden(subject)):
            continue
        first, second = one.current.codes(kind), two.current.codes(kind)
        only_second, only_first = comparison.changes(first, second)
        both = tuple(code for code in dict.fromkeys(first) if code in second)
        label = "Ordered" if kind == "medication" else wording.KIND_LABELS[kind]
        lists = (only_first, only_second, both)
        rows.append((label, *(_titles(codes, kind, titles) for codes in lists)))
    table = markup.table(("", _name(other), _name(subject), "Both"), rows)
    st.html(
        markup.panel_title("What differs", "what only one of the two visits has, and what both have")
        + patient.differences(table)
    )


def _titles(codes: tuple[str, ...], kind: Kind, titles: markup.Titles) -> str:
    if not codes:
        return "none"
    rest = len(codes) - _CODES_NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    return "; ".join(titles(kind, code) for code in codes[:_CODES_NAMED]) + more


def _name(side: Subject) -> str:
    return f"Patient {side.patient_id}, visit {side.visit_no}"


def _scores(service: Service, other: Subject, subject: Subject) -> None:
    """One model's scores of both cases; classes that only one of them gets stand first."""
    st.html(markup.panel_title("Scores", "classes suggested for one case alone come first"))
    name: ModelName = switch("Model", wording.MODEL_LABELS, key=_MODEL, default="student")
    recommendations = []
    for side in (other, subject):
        answer = scores(service, side.case, name)
        if answer.recommendation is None:
            st.html(markup.callout(wording.no_scores(name, answer.status, answer.reason), name))
            return
        recommendations.append(_under_cut_off(service, name, answer.recommendation))
    changes = [
        each
        for each in case_diff.compare_scores(*recommendations)
        if each.first_selected or each.second_selected
    ]
    one_sided = sum(each.one_sided for each in changes)
    st.html(
        markup.note(
            f"{count(one_sided, 'class', 'classes')} suggested for one case alone, "
            f"{len(changes) - one_sided} for both."
        )
    )
    hidden = session.hidden(other) or session.hidden(subject)
    case_diff.show_scores(
        changes,
        name,
        (_name(other), _name(subject)),
        f"Scores of the {name} for both cases",
        most=_SHOWN,
        prescribed=((), ()) if hidden else (other.case.prescribed, subject.case.prescribed),
    )


def _under_cut_off(service: Service, name: ModelName, recommendation: Recommendation) -> Recommendation:
    """Under the cut-off that the link names, else the model's own."""
    threshold = session.threshold(name)
    return recommendation if threshold is None else service.engine.with_threshold(recommendation, threshold)
