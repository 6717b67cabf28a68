"""How far to trust a score: lines for a class's details, and what is unusual about the case, in words and counts."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.scores import evidence_text
from dashboard.server.service import MODELS, ModelName, Service
from dashboard.shared import markup, wording
from dashboard.shared.templates import render
from leader_core import Recommendation
from leader_core.evaluation.class_evidence import Evidence
from leader_core.evaluation.trust import (
    case_trust,
    class_trust,
)
from leader_core.similar import Similar

Lines = Mapping[str, list[dict[str, str]]]


def details(
    service: Service, cut: Mapping[ModelName, Recommendation], similar: Similar | None = None
) -> Lines:
    """Lines for every class's details in the comparison table: each model on validation, then similar patients."""
    lines: dict[str, list[dict[str, str]]] = {}
    for name, recommendation in cut.items():
        evidence, _ = _evidence(service, name)
        label = f"{wording.MODEL_NAMES[name]} on validation"
        for code, trust in class_trust(
            evidence, service.engine.models[name].manifest, recommendation
        ).items():
            lines.setdefault(code, []).append({"label": label, "text": evidence_text.sentence(trust)})
    if similar is not None:
        for code in {m.code for r in cut.values() for m in r.medications}:
            given = similar.of(code)
            text = f"{given.count} of the {given.of} most similar training patients were given it"
            lines.setdefault(code, []).append({"label": "Similar patients", "text": text})
    return lines


def show(service: Service, cut: Mapping[ModelName, Recommendation], similar: Similar | None) -> None:
    """What is unusual about this case, model by model, and what the metrics of a class rest on."""
    st.html(markup.panel_title("How far to trust these scores"))
    if not cut:
        st.html(markup.note("Available with the first scores."))
        return
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    models = []
    for name in MODELS:
        if name in cut:
            about = case_trust(service.engine.models[name].manifest, cut[name])
            models.append((name, evidence_text.trust_lines(about, *_evidence(service, name), unit)))
    about_both = evidence_text.case_facts(cut, similar)
    st.html(render("scores/trust.html", about_both=about_both, models=models, unit=unit))


def _evidence(service: Service, name: ModelName) -> tuple[Evidence | None, str]:
    """What validation says of the model's classes, and a sentence where it says nothing."""
    manifest = service.engine.models[name].manifest
    return _cached_evidence(id(service), service, name, manifest.digest if manifest else "")


@st.cache_resource(max_entries=8, show_spinner=False)
def _cached_evidence(
    identity: int, _service: Service, name: ModelName, digest: str
) -> tuple[Evidence | None, str]:
    return evidence_text.evidence_or_reason(_service.engine, name)
