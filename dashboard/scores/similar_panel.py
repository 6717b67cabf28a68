"""Similar training patients: who they are, what they share with the case, and how often they were given each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.scores.evidence_text import (
    ABOUT_SIMILAR,
    NO_NEIGHBOURS,
    SimilarResult,
    nearest_of,
    neighbour_text,
    ranked,
)
from dashboard.server.answers import later
from dashboard.server.service import ModelName, Service, case_key, wait
from dashboard.shared import markup, navigation, session, theme, url_state, wording
from dashboard.shared.session import Subject
from dashboard.shared.subject import titles_of
from dashboard.shared.templates import render
from leader_core import Case, LeaderError, Recommendation
from leader_core.similar import Neighbour, Preparation, Similar, SimilarQuery

COUNT: Final = 20
_CLASSES: Final = 8
_SHOWN: Final = 5
_FILTERS: Final[Mapping[str, str]] = {
    "first": "First visits only",
    "later": "With earlier visits",
    "gender": "Same gender",
    "age": "Same age band",
    "shared": "Shares a diagnosis",
}
KEY: Final = "near"
_ICONS: Final[Mapping[str, str]] = {**theme.MODEL_ICONS, "prescribed": "✓"}
_MEANINGS: Final[Mapping[str, str]] = {
    "teacher": "suggested here by the teacher",
    "student": "suggested here by the student",
    "prescribed": "prescribed here",
}


def read_filters(text: str) -> list[str] | None:
    """The filters that a link names, or None for text that means nothing.

    >>> read_filters("gender.shared"), read_filters("first.later"), read_filters("x")
    (['gender', 'shared'], ['first'], None)
    """
    found = [name for name in _FILTERS if name in text.split(".")]
    if {"first", "later"} <= set(found):
        found.remove("later")
    return found or None


BINDINGS: Final = {KEY: url_state.Binding([], read_filters, ".".join)}


def query() -> SimilarQuery:
    """What the session asks for."""
    chosen = st.session_state.get(KEY) or []
    return SimilarQuery(
        count=COUNT,
        visits="first" if "first" in chosen else "later" if "later" in chosen else "any",
        same_gender="gender" in chosen,
        same_age_band="age" in chosen,
        shares_diagnosis="shared" in chosen,
    )


def find(service: Service, case: Case) -> Similar | None:
    """The case's neighbours under the session's filters; None while they cannot be had."""
    if service.status("student").readiness != "ready":
        return None
    if service.engine.similar.state.status != "ready":
        return None
    try:
        return _found(id(service), service, (case_key(case), case.patient_id), case, query())
    except LeaderError:
        return None


@st.cache_resource(max_entries=64, show_spinner=False)
def _found(identity: int, _service: Service, key: object, _case: Case, asked: SimilarQuery) -> Similar:
    return _service.engine.similar.find(_case, asked)


def show(
    service: Service, subject: Subject, cut: Mapping[ModelName, Recommendation], found: Similar | None
) -> None:
    """The panel in each of its states."""
    st.html(markup.panel_title("Similar training patients"))
    if found is None:
        _not_there(service)
        return
    _filters()
    if not found.neighbours:
        st.html(
            markup.empty(
                "Nobody is left", f"None of {found.training:,} training patients passes these filters."
            )
        )
        return
    st.html(markup.note(nearest_of(found)) + _classes(service, subject, cut, found))
    for neighbour in found.neighbours[:_SHOWN]:
        _neighbour(service, neighbour)
    if rest := found.neighbours[_SHOWN:]:
        with st.expander(f"{len(rest)} more patients"):
            for neighbour in rest:
                _neighbour(service, neighbour)
    st.html(markup.note(ABOUT_SIMILAR))


def filters() -> tuple[str, ...]:
    """What the session asks for, in words."""
    return tuple(_FILTERS[name] for name in st.session_state.get(KEY) or [] if name in _FILTERS)


def result(service: Service, similar: Similar | None) -> SimilarResult:
    """The neighbours with the filters, or why there are none, in words."""
    return SimilarResult(similar, filters(), why_not(service))


def why_not(service: Service) -> str:
    """Why there are no neighbours (yet), in a sentence."""
    status = service.status("student")
    if status.readiness == "loading":
        return "They appear when the student is ready."
    if status.readiness != "ready":
        return "They are found by the student, and it is not available."
    if service.engine.similar.state.status in ("waiting", "preparing"):
        return "The training patients were still being read."
    return service.engine.similar.state.reason or NO_NEIGHBOURS


def _not_there(service: Service) -> None:
    status = service.status("student")
    if status.readiness == "ready" and service.engine.similar.state.status in ("waiting", "preparing"):
        place = st.empty()
        _progress(service, place)
        later("similar", lambda: _wait(service, place))
        return
    st.html(markup.note(why_not(service)))
    if status.readiness == "loading":
        st.skeleton(height=60)


def _wait(service: Service, place: DeltaGenerator) -> bool:
    """Show how far reading the training patients is until it is done."""
    while not wait(service.prepared):
        _progress(service, place)
    return service.engine.similar.state.status not in ("waiting", "preparing")


def _progress(service: Service, place: DeltaGenerator) -> None:
    state: Preparation = service.engine.similar.state
    place.progress(
        state.done / state.total if state.total else 0.0,
        text=f"Reading the training patients once: {state.done:,} of {state.total:,}.",
    )


def _filters() -> None:
    st.pills(
        "Only those who",
        list(_FILTERS),
        selection_mode="multi",
        format_func=_FILTERS.__getitem__,
        label_visibility="collapsed",
        **url_state.mirror(KEY),
    )


def _classes(
    service: Service, subject: Subject, cut: Mapping[ModelName, Recommendation], similar: Similar
) -> str:
    """How many of the neighbours were given each class, and whether the models suggest it for this case."""
    titles = titles_of(service)
    here: dict[str, set[str]] = {name: {m.code for m in r.selected} for name, r in cut.items()}
    if subject.source == "cohort" and not session.hidden(subject):
        here["prescribed"] = set(subject.case.prescribed)
    classes = [
        {
            "code": code,
            "title": titles("medication", code),
            "given": similar.given[code],
            "signs": [(name, code in codes) for name, codes in here.items()],
        }
        for code in ranked(similar)
    ]
    return render(
        "scores/similar.html",
        classes=classes,
        shown=_CLASSES,
        names=list(here),
        icons=_ICONS,
        meanings=_MEANINGS,
    )


def _neighbour(service: Service, neighbour: Neighbour) -> None:
    """One patient: a link to their case, who they are, and what both have."""
    with st.container(key=f"near-{neighbour.patient_id}", gap=None):
        label = f"Patient {neighbour.patient_id} · similarity {neighbour.similarity:.2f}"
        query = session.case_query(neighbour.patient_id, neighbour.visit_no)
        navigation.link("case", label, query)
        titles = titles_of(service)
        st.html(
            render(
                "scores/neighbour.html",
                about=neighbour_text(neighbour),
                shared=[titles("diagnosis", code) for code in neighbour.shared],
                given=[titles("medication", code) for code in neighbour.given],
                unit=wording.unit(service.engine.cohort.fingerprint.atc_level),
            )
        )
