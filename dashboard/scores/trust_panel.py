"""How far to trust a score: lines for a class's details, and what is unusual about the case, in words and counts."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.scores import evidence_text
from dashboard.server.service import MODELS, ModelName, Service
from dashboard.shared import markup, wording
from dashboard.shared.formatting import escape, tag
from leader_core import Recommendation
from leader_core.evaluation.class_evidence import Evidence
from leader_core.evaluation.trust import (
    CaseTrust,
    case_trust,
    class_trust,
)
from leader_core.similar import Similar

Lines = Mapping[str, list[dict[str, str]]]


def details(
    service: Service, cut: Mapping[ModelName, Recommendation], similar: Similar | None = None
) -> Lines:
    """Lines for every class's details in the comparison table: each model on validation, then similar patients."""
    made: dict[str, list[dict[str, str]]] = {}
    for name, recommendation in cut.items():
        evidence, _ = _evidence(service, name)
        found = class_trust(evidence, service.engine.models[name].manifest, recommendation)
        for code, trust in found.items():
            label = f"{wording.MODEL_NAMES[name]} on validation"
            made.setdefault(code, []).append({"label": label, "text": evidence_text.sentence(trust)})
    for code in {m.code for r in cut.values() for m in r.medications} if similar else ():
        given = similar.of(code)  # type: ignore[union-attr]
        text = f"{given.count} of the {given.of} most similar training patients were given it"
        made.setdefault(code, []).append({"label": "Similar patients", "text": text})
    return made


def show(service: Service, cut: Mapping[ModelName, Recommendation], similar: Similar | None) -> None:
    """What is unusual about this case, model by model, and what the figures of a class rest on."""
    st.html(markup.panel_title("How far to trust these scores"))
    if not cut:
        st.html(markup.note("It can be said with the first scores."))
        return
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    about_both = evidence_text.case_facts(cut, similar)
    rows = markup.facts(about_both) if about_both else ""
    for name in MODELS:
        if name in cut:
            evidence, problem = _evidence(service, name)
            about = case_trust(service.engine.models[name].manifest, cut[name])
            rows += _model(name, about, evidence, problem, unit)
    st.html(
        tag("div", rows, css="ld-trust")
        + markup.note(f"Each {unit.one} says how it did on validation: open its row.")
    )


def _model(
    name: ModelName, told: CaseTrust, evidence: Evidence | None, problem: str, unit: wording.Unit
) -> str:
    items = "".join(
        tag("li", escape(line)) for line in evidence_text.trust_lines(told, evidence, problem, unit)
    )
    return markup.model_head(name, "") + tag("ul", items, css="ld-plain")


def _evidence(service: Service, name: ModelName) -> tuple[Evidence | None, str]:
    """What validation says of the model's classes, and a sentence where it says nothing."""
    manifest = service.engine.models[name].manifest
    return _kept(id(service), service, name, manifest.digest if manifest else "")


@st.cache_resource(max_entries=8, show_spinner=False)
def _kept(identity: int, _service: Service, name: ModelName, digest: str) -> tuple[Evidence | None, str]:
    return evidence_text.evidence_or_reason(_service.engine, name)
