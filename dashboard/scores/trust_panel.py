"""Similar training patients, and how far to trust a score: the two panels, and lines for the details of a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.scores import trust_text
from dashboard.scores.trust_text import NearPatient, SimilarResult
from dashboard.server.answers import defer
from dashboard.server.service import Service, case_key, wait
from dashboard.shared import markup, navigation, session, theme, url_state, wording
from dashboard.shared.session import Subject
from dashboard.shared.templates import render
from leader_core import Case, LeaderError, Recommendation
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.evaluation.class_evidence import Evidence
from leader_core.evaluation.trust import ClassTrust, case_trust, class_trust
from leader_core.similar import Similar, SimilarQuery

Lines = Mapping[str, list[dict[str, str]]]
"""Label and text of each line, by class."""

_COUNT: Final = 20
_CLASSES: Final = 8
_SHOWN: Final = 5
_FILTERS: Final[Mapping[str, str]] = {
    "first": "First visits only",
    "later": "With earlier visits",
    "gender": "Same sex",
    "age": "Same age band",
    "shared": "Shares a diagnosis",
}
_KEY: Final = "near"
_PREPARING: Final = "Reading the training patients, once…"
_ICONS: Final[Mapping[str, str]] = {**theme.MODEL_ICONS, "prescribed": "✓"}
_MEANINGS: Final[Mapping[str, str]] = {
    "teacher": "suggested here by the teacher",
    "student": "suggested here by the student",
    "prescribed": "ordered here",
}


# Similar patients


def read_filters(text: str) -> list[str] | None:
    """The filters that a link names, or None for text that means nothing.

    >>> read_filters("gender.shared"), read_filters("first.later"), read_filters("x")
    (['gender', 'shared'], ['first'], None)
    """
    filters = [name for name in _FILTERS if name in text.split(".")]
    if {"first", "later"} <= set(filters):
        filters.remove("later")
    return filters or None


BINDINGS: Final = {_KEY: url_state.Binding([], read_filters, ".".join)}


def _query() -> SimilarQuery:
    filters = st.session_state.get(_KEY) or []
    return SimilarQuery(
        count=_COUNT,
        visits="first" if "first" in filters else "later" if "later" in filters else "any",
        same_gender="gender" in filters,
        same_age_band="age" in filters,
        shares_diagnosis="shared" in filters,
    )


def find_similar(service: Service, case: Case) -> Similar | None:
    """The case's neighbours under the session's filters; None while there are none to search, or where that fails."""
    if service.status("student").readiness != "ready" or service.engine.similar.state.status != "ready":
        return None
    try:
        return _find(service.serial, service, (case_key(case), case.patient_id), case, _query())
    except LeaderError:
        return None


@st.cache_resource(max_entries=64, show_spinner=False)
def _find(serial: int, _service: Service, key: object, _case: Case, query: SimilarQuery) -> Similar:
    return _service.engine.similar.find(_case, query)


def similar_result(service: Service, similar: Similar | None) -> SimilarResult:
    """The neighbours with the filters, or why there are none, in words."""
    filters = tuple(_FILTERS[name] for name in st.session_state.get(_KEY) or [] if name in _FILTERS)
    return SimilarResult(similar, filters, _why_none(service))


def _why_none(service: Service) -> str:
    status = service.status("student")
    if status.readiness == "loading":
        return "They appear when the student is ready."
    if status.readiness != "ready":
        return "They are computed by the student, which is not available."
    if _preparing(service):
        return "The training patients were still being read."
    return service.engine.similar.state.reason or trust_text.NO_NEIGHBOURS


def _preparing(service: Service) -> bool:
    return service.engine.similar.state.status == "waiting"


def show_similar(
    service: Service,
    subject: Subject,
    recommendations: Mapping[ModelName, Recommendation],
    similar: Similar | None,
) -> None:
    """Who the similar patients are, what they share with the case, and how often they had each class ordered."""
    st.html(markup.panel_title("Similar training patients"))
    if similar is None:
        _no_neighbours(service)
        return
    st.pills(
        "Only those who",
        list(_FILTERS),
        selection_mode="multi",
        format_func=_FILTERS.__getitem__,
        label_visibility="collapsed",
        **url_state.mirror(_KEY),
    )
    if not similar.neighbours:
        text = f"None of {similar.training:,} training patients passes these filters."
        st.html(markup.empty("Nobody is left", text))
        return
    near = trust_text.similar_patients(service.engine, recommendations, similar_result(service, similar))
    ordered_known = subject.source == "cohort" and not session.hidden(subject)
    classes = render(
        "scores/similar.html",
        classes=near.given,
        shown=_CLASSES,
        names=[*recommendations, *(["prescribed"] if ordered_known else [])],
        prescribed=subject.case.prescribed,
        icons=_ICONS,
        meanings=_MEANINGS,
    )
    st.html(markup.note(near.summary) + classes)
    for neighbour in near.neighbours[:_SHOWN]:
        _neighbour(service, neighbour)
    if rest := near.neighbours[_SHOWN:]:
        with st.expander(f"{len(rest)} more patients"):
            for neighbour in rest:
                _neighbour(service, neighbour)
    st.html(markup.note(trust_text.ABOUT_SIMILAR))


def _no_neighbours(service: Service) -> None:
    status = service.status("student")
    if status.readiness == "ready" and _preparing(service):
        placeholder = st.empty()
        placeholder.caption(_PREPARING)
        defer("similar", lambda: _wait(service, placeholder))
        return
    st.html(markup.note(_why_none(service)))
    if status.readiness == "loading":
        st.skeleton(height=60)


def _wait(service: Service, placeholder: DeltaGenerator) -> bool:
    """Wait until the training patients are read; drawn again and again, so that a click interrupts it."""
    while not wait(service.prepared):
        placeholder.caption(_PREPARING)
    return not _preparing(service)


def _neighbour(service: Service, neighbour: NearPatient) -> None:
    """One patient: a link to their case, who they are, and what both have."""
    with st.container(key=f"near-{neighbour.patient_id}", gap=None):
        label = f"Patient {neighbour.patient_id} · similarity {neighbour.similarity:.2f}"
        navigation.link("case", label, session.case_query(neighbour.patient_id, neighbour.visit_no))
        unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
        st.html(render("scores/neighbour.html", neighbour=neighbour, unit=unit))


# Trust


def class_details(
    service: Service, recommendations: Mapping[ModelName, Recommendation], similar: Similar | None = None
) -> Lines:
    """Lines for every class's details in the comparison table: each model on validation, then similar patients."""
    lines: dict[str, list[dict[str, str]]] = {}
    for name, recommendation in recommendations.items():
        label = f"{wording.MODEL_LABELS[name]} on validation"
        for code, trust in class_trusts(service, recommendation).items():
            lines.setdefault(code, []).append({"label": label, "text": trust_text.sentence(trust)})
    if similar is not None:
        for code in {m.code for r in recommendations.values() for m in r.medications}:
            given = similar.count_of(code)
            text = f"{given.count} of the {given.total} most similar training patients had it ordered"
            lines.setdefault(code, []).append({"label": "Similar patients", "text": text})
    return lines


def class_trusts(service: Service, recommendation: Recommendation) -> Mapping[str, ClassTrust]:
    """What validation says of each class of a model's answer; empty where it carries no counts."""
    name = recommendation.model
    return class_trust(_evidence(service, name)[0], service.engine.models[name].manifest, recommendation)


def show_trust(
    service: Service, recommendations: Mapping[ModelName, Recommendation], similar: Similar | None
) -> None:
    """What is unusual about this case, model by model, and what the metrics of a class rest on."""
    st.html(markup.panel_title("How far to trust these scores"))
    if not recommendations:
        st.html(markup.note("Available with the first scores."))
        return
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    models = []
    for name in MODEL_NAMES:
        if name in recommendations:
            about = case_trust(service.engine.models[name].manifest, recommendations[name])
            models.append((name, trust_text.trust_lines(about, *_evidence(service, name), unit)))
    about_both = trust_text.case_facts(recommendations, similar)
    st.html(render("scores/trust.html", about_both=about_both, models=models, unit=unit))


def _evidence(service: Service, name: ModelName) -> tuple[Evidence | None, str]:
    """What validation says of the model's classes, and a sentence where it says nothing."""
    manifest = service.engine.models[name].manifest
    return _cached_evidence(service.serial, service, name, manifest.digest if manifest else "")


@st.cache_resource(max_entries=8, show_spinner=False)
def _cached_evidence(
    serial: int, _service: Service, name: ModelName, digest: str
) -> tuple[Evidence | None, str]:
    return trust_text.evidence_or_reason(_service.engine, name)
