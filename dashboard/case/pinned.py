"""A pinned case beside the one that is open: profile, visits and scores of a model, and what differs."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.case import patient
from dashboard.scores import case_diff, score_changes
from dashboard.server.service import MODELS, ModelName, Service, ask, scores
from dashboard.shared import case_text, markup, session, url_state, wording
from dashboard.shared.formatting import count, tag
from dashboard.shared.guard import fragment
from dashboard.shared.session import Subject
from dashboard.shared.subject import case_title, titles_of
from leader_core import KINDS, Recommendation

_PIN: Final = "_pin"
_MODEL: Final = "beside_model"
_SHOWN: Final = 20
BINDINGS: Final = {_MODEL: url_state.Binding.choice("student", wording.MODEL_NAMES)}


def tools(subject: Subject) -> None:
    """Pin this case, compare it with the one that is pinned, or leave the comparison."""
    here, pin = session.write_beside(subject), st.session_state.get(_PIN)
    if st.session_state.get(session.BESIDE):
        st.session_state[_PIN] = pin = st.session_state[session.BESIDE]
        st.button(
            "Leave the comparison", icon=":material/close:", type="tertiary", on_click=_beside, args=("",)
        )
    elif pin and pin != here:
        patient, _, visit = pin.partition("-")
        st.button(
            f"Compare with {patient}, visit {visit}",
            icon=":material/compare_arrows:",
            on_click=_beside,
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
            help="Keeps this case at hand; open another one to compare the two side by side.",
        )


def _beside(name: str) -> None:
    st.session_state[session.BESIDE] = name


def _pin(name: str | None) -> None:
    st.session_state[_PIN] = name
    st.session_state[session.BESIDE] = ""


def show(service: Service, subject: Subject) -> None:
    """Two cases side by side: the pinned one left, the open one right."""
    patient, _, visit = st.session_state[session.BESIDE].partition("-")
    other = session.recorded(service, int(patient), int(visit))
    for side in (other, subject):
        ask(service, side.case)  # they answer while the page is drawn
    fragment(_body)(service, other, subject)


def _body(service: Service, other: Subject, subject: Subject) -> None:
    _head(other)
    _differences(service, other, subject)
    if session.undecided(other) or session.undecided(subject):
        st.html(markup.callout("Decide first is on: the scores of a case appear once you have revealed it."))
    else:
        _scores(service, other, subject)
    for side, column in zip((other, subject), st.columns(2, gap="large"), strict=True):
        with column:
            _person(service, side)
    link = session.linked(subject)
    session.keep(link)
    url_state.publish(
        "case", {**link, session.BESIDE: session.write_beside(other), **url_state.written(BINDINGS)}
    )


def _head(other: Subject) -> None:
    """Who is pinned, under the head of the case that is open."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pinned_head"):
        st.html(tag("span", "Beside it", css="ld-tag"), width="content")
        st.html(case_title(other, level=2), width="content")
        st.button(
            "Open this one",
            icon=":material/open_in_full:",
            type="tertiary",
            on_click=session.open_case,
            args=(other.patient_id, other.visit_no),
        )


def _differences(service: Service, other: Subject, subject: Subject) -> None:
    """What is the same and what is not, in a few lines."""
    one, two = other.case, subject.case
    titles = titles_of(service)
    rows: list[tuple[str, ...]] = []
    fields = [f for f in service.engine.cohort.profile_fields if f in wording.FIELD_LABELS]
    values = [dict(case_text.profile_facts(case, fields)) for case in (one, two)]
    for name in case_diff.profile_differences(one, two, fields):
        label = wording.FIELD_LABELS[name]
        rows.append((label, values[0][label], values[1][label], ""))
    rows.append(
        ("Earlier visits", str(len(one.history)), str(len(two.history)), "")
        if len(one.history) != len(two.history)
        else ("Earlier visits", "", "", str(len(one.history)))
    )
    for kind in KINDS:
        if kind == "medication" and (session.hidden(other) or session.hidden(subject)):
            continue
        found = case_diff.sides(one.current.codes(kind), two.current.codes(kind))
        label = "Prescribed" if kind == "medication" else wording.KIND_LABELS[kind]
        rows.append(
            (label, *(_named(codes, kind, titles) for codes in (found.first, found.second, found.both)))
        )
    st.html(
        markup.panel_title("What differs", "what only one of the two visits has, and what both have")
        + tag("div", markup.table(("", _name(other), _name(subject), "Both"), rows), css="ld-differs")
    )


def _named(codes: tuple[str, ...], kind: str, titles: markup.Titles) -> str:
    if not codes:
        return "none"
    more = f"; and {len(codes) - 5} more" if len(codes) > 5 else ""
    return "; ".join(titles(kind, code) for code in codes[:5]) + more


def _name(side: Subject) -> str:
    """A case in a few words."""
    return f"Patient {side.patient_id}, visit {side.visit_no}"


def _scores(service: Service, other: Subject, subject: Subject) -> None:
    """One model's scores of both cases, classes that only one of them gets first."""
    st.html(markup.panel_title("Scores", "classes suggested for one case alone stand first"))
    name: ModelName = st.segmented_control(
        "Model",
        list(MODELS),
        key=_MODEL,
        default="student",
        required=True,
        format_func=wording.MODEL_NAMES.__getitem__,
        label_visibility="collapsed",
    )
    found = []
    for side in (other, subject):
        answer = scores(service, side.case, name)
        if answer.recommendation is None:
            text = {"loading": wording.LOADING, "running": wording.RUNNING}.get(answer.status, "")
            text = text.format(model=f"The {name}") or f"The {name} is not available. {answer.reason}"
            st.html(markup.callout(text, name))
            return
        found.append(_cut(service, name, answer.recommendation))
    every = [m for m in case_diff.moves(*found) if m.first_selected or m.second_selected]
    hidden = session.hidden(other) or session.hidden(subject)
    crossed = sum(m.crossed for m in every)
    st.html(
        markup.note(
            f"{count(crossed, 'class', 'classes')} suggested for one case alone, {len(every) - crossed} for both."
        )
    )

    def drawn(some: list[case_diff.Move]) -> str:
        return score_changes.table(
            some,
            name,
            _name(other),
            _name(subject),
            given=None if hidden else (other.case.prescribed, subject.case.prescribed),
            caption=f"Scores of the {name} for both cases",
        )

    st.html(drawn(every[:_SHOWN]))
    if len(every) > _SHOWN:
        with st.expander(f"{len(every) - _SHOWN} more classes"):
            st.html(drawn(every[_SHOWN:]))


def _cut(service: Service, name: ModelName, recommendation: Recommendation) -> Recommendation:
    """Under the cut-off that the link asks for, else the model's own."""
    moved = session.cut_off(name)
    return recommendation if moved is None else service.engine.with_threshold(recommendation, moved)


def _person(service: Service, side: Subject) -> None:
    """Profile and visits of one case."""
    st.html(
        markup.panel_title(_name(side))
        + markup.facts(case_text.profile_facts(side.case, service.engine.cohort.profile_fields))
    )
    if side.patient_id is not None and service.learned_from(side.patient_id):
        st.html(markup.callout(wording.TRAINING_OVERLAP, "warn"))
    st.html(
        markup.panel_title("Visits", "newest first")
        + patient.timeline(side.case, titles_of(service), hide=session.hidden(side))
    )
