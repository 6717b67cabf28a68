"""How far to trust a score: lines for a class's details, and what is unusual about the case, in words and counts."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.server.service import MODELS, ModelName, Service
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count, escape, probability, tag
from leader_core import Engine, LeaderError, Recommendation
from leader_core.evaluation.class_evidence import Evidence, Share
from leader_core.evaluation.trust import (
    FEW,
    CaseTrust,
    ClassTrust,
    case_trust,
    class_trust,
    evidence_of,
    widest_gap,
)
from leader_core.similar import Similar

Lines = Mapping[str, list[dict[str, str]]]
NO_EVIDENCE = (
    "This {model} was trained before what validation says of each class was kept with a model. "
    "`python -m train calibrate` adds it."
)


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
            made.setdefault(code, []).append({"label": label, "text": sentence(trust)})
    for code in {m.code for r in cut.values() for m in r.medications} if similar else ():
        given = similar.of(code)  # type: ignore[union-attr]
        text = f"{given.count} of the {given.of} most similar training patients were given it"
        made.setdefault(code, []).append({"label": "Similar patients", "text": text})
    return made


def sentence(trust: ClassTrust) -> str:
    """What validation says of a class, as counts with their shares."""
    p = trust.prevalence
    told = [f"Given in {p.part:,} of {p.whole:,} cases ({percent(p)})."]
    if trust.precision.whole:
        told.append(
            f"Suggested in {trust.precision.whole:,} at this cut-off, right in {trust.precision.part:,} "
            f"({percent(trust.precision, interval=True)}); found {percent(trust.recall)} of those given it."
        )
    else:
        told.append("Never suggested at this cut-off.")
    if trust.like.whole:
        told.append(
            f"Of {count(trust.like.whole, 'case')} scored {trust.low:.1f} to {trust.high:.1f}, like this one, "
            f"{trust.like.part:,} {'was' if trust.like.part == 1 else 'were'} given it ({percent(trust.like)})"
            + (", too few to rely on." if trust.like.whole < FEW else ".")
        )
    else:
        told.append(f"No case was scored {trust.low:.1f} to {trust.high:.1f}, like this one.")
    if trust.promised is not None:
        told.append("In the 90 % set." if trust.promised else "Not in the 90 % set.")
    return " ".join(told)


def percent(share: Share, *, interval: bool = False) -> str:
    """A share in whole per cent, with its 95 % interval on request.

    >>> percent(Share(3, 4)), percent(Share(30, 40), interval=True), percent(Share(0, 0))
    ('75 %', '75 %, interval 60–86 %', 'none')
    """
    if share.value is None:
        return "none"
    text = f"{share.value:.0%}".replace("%", " %")
    if interval:
        low, high = share.interval
        text += f", interval {low * 100:.0f}–{high * 100:.0f} %"
    return text


def show(service: Service, cut: Mapping[ModelName, Recommendation], similar: Similar | None) -> None:
    """What is unusual about this case, model by model, and what the figures of a class rest on."""
    st.html(markup.panel_title("How far to trust these scores"))
    if not cut:
        st.html(markup.note("It can be said with the first scores."))
        return
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    about_both = facts(cut, similar)
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


def facts(cut: Mapping[ModelName, Recommendation], similar: Similar | None) -> list[tuple[str, str]]:
    """What is unusual about the case whichever model reads it."""
    found: list[tuple[str, str]] = []
    if similar is not None and similar.nearer_than is not None:
        found.append(("To training data", nearness(similar)))
    gap = widest_gap(cut.get("teacher"), cut.get("student"))
    if gap is not None:
        title, teacher, student = gap
        told = f"{title}: teacher {probability(teacher)}, student {probability(student)}"
        found.append(("Furthest apart", told))
    return found


def nearness(similar: Similar) -> str:
    """How near the case is to training data, measured against validation patients."""
    share = similar.nearer_than or 0.0
    if share < 0.05:
        return (
            "further from any training patient than 95 % of validation patients are: an unusual case, on which the "
            "figures of a class may not hold"
        )
    return f"nearer than {share * 100:.0f} % of validation patients are (mean cosine {similar.nearness:.2f})"


def lines(told: CaseTrust, evidence: Evidence | None, problem: str, unit: wording.Unit) -> list[str]:
    """What is unusual about the case for one model, and what its figures rest on, a sentence each."""
    found = []
    if told.unseen:
        unread = [each for each in told.unseen if not each.by_title]
        if unread:
            found.append(f"{count(len(unread), 'code')} of this case not known, and not read.")
        if by_title := len(told.unseen) - len(unread):
            found.append(f"{count(by_title, 'code')} of this case never met in training, read by title only.")
    if told.truncated:
        found.append("Could not read all of the case: it was cut to fit.")
    if not told.unseen and not told.truncated:
        found.append("Read every code of the case.")
    if told.promised is not None:
        found.append(
            f"The {told.share * 100:.0f} % set: {count(len(told.promised), unit.one, unit.many)}. Of cases like those of "
            f"validation, at least {told.confidence * 100:.0f} % have at least {told.share * 100:.0f} % of what was "
            "prescribed in their set. "
            "It promises nothing about one patient."
        )
    else:
        found.append("No set with a stated coverage: this model is not calibrated.")
    if evidence is not None:
        kind = "calibrated" if evidence.calibrated else "uncalibrated"
        found.append(
            f"Each {unit.one} was counted on {evidence.cases:,} validation cases, by its {kind} scores."
        )
    else:
        found.append(problem)
    return found


def _model(
    name: ModelName, told: CaseTrust, evidence: Evidence | None, problem: str, unit: wording.Unit
) -> str:
    items = "".join(tag("li", escape(line)) for line in lines(told, evidence, problem, unit))
    return markup.model_head(name, "") + tag("ul", items, css="ld-plain")


def _evidence(service: Service, name: ModelName) -> tuple[Evidence | None, str]:
    """What validation says of the model's classes, and a sentence where it says nothing."""
    manifest = service.engine.models[name].manifest
    return _kept(id(service), service, name, manifest.digest if manifest else "")


@st.cache_resource(max_entries=8, show_spinner=False)
def _kept(identity: int, _service: Service, name: ModelName, digest: str) -> tuple[Evidence | None, str]:
    return read(_service.engine, name)


def read(engine: Engine, name: ModelName) -> tuple[Evidence | None, str]:
    """What validation says of the model's classes, as its folder has it, and a sentence where it says nothing."""
    try:
        found = evidence_of(engine.models[name])
    except LeaderError as error:
        return None, str(error)
    return found, "" if found is not None else NO_EVIDENCE.format(model=name)
