"""Above the class table: each model's cut-off with its metrics and warnings, and the metrics of both models together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st
from markupsafe import Markup

from dashboard.interactions import sets
from dashboard.server.answers import Scores, ask_now
from dashboard.server.service import Service
from dashboard.shared import comparison, markup, session, url_state, wording
from dashboard.shared.case_text import read_as_lines, unseen_claims
from dashboard.shared.formatting import count, cut_off, day, listing, score
from dashboard.shared.session import Subject
from dashboard.shared.templates import render
from leader_core import Case, Recommendation, UnseenCode
from leader_core.domain import MODEL_NAMES, EquivalentCode, ModelName
from leader_core.interactions import Alert

BINDINGS: Final = {
    session.threshold_key(name): url_state.Binding(None, url_state.read_number, cut_off)
    for name in MODEL_NAMES
}
"""None stands for the model's own cut-off."""

CountAlerts = Callable[[Sequence[str]], str]
"""How many alerts a set of classes has, in words: "1 contraindicated, 6 major; if you choose: 2 major"."""


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A set of classes to compare with what was ordered; `css` is "teacher", "student", "own" or nothing."""

    name: str
    codes: tuple[str, ...]
    css: str = ""


def show(
    service: Service,
    subject: Subject,
    scores: Mapping[ModelName, Scores],
    own: Sequence[str] | None,
    known: bool,
) -> tuple[dict[ModelName, Recommendation], dict[str, Alert]]:
    """A slider per model, the teacher left and the student right, and below them the metrics of several sets together.

    `own` is the viewer's set where there is one, `known` whether the orders are shown. Gives each model's
    recommendation under its cut-off, and the classes that the patient's conditions speak against with the reason; where
    these are held back, the recommendations are without them.
    """
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)

    drugs = sets.known_drugs(service, subject)

    def count_alerts(codes: Sequence[str]) -> str:
        return drugs.review(tuple(codes)).counts_text

    recommendations: dict[ModelName, Recommendation] = {}
    held: dict[str, Alert] = {}
    for name, column in zip(MODEL_NAMES, st.columns(2, gap="large"), strict=True):
        with column:
            recommendation = scores[name].recommendation
            if recommendation is None:
                others = [other for other in MODEL_NAMES if other != name and scores[other].recommendation]
                _no_scores(service, subject, scores[name], others)
                continue
            chosen = {name: _slider(service, name, recommendation)}
            against = sets.held_back(service, subject.case, chosen, drugs)
            held |= against
            recommendations |= sets.without(chosen, against) if session.holding_back() else chosen
            codes = [m.code for m in recommendations[name].selected]
            agreement = comparison.agreement(codes, subject.case.prescribed)
            with st.container(key=f"metrics-{name}"):
                st.html(agreement_metrics(agreement, count_alerts(codes), known=known, unit=unit))
            _warnings(service, subject, scores[name], recommendations[name])
    named = combined_sets({name: [m.code for m in r.selected] for name, r in recommendations.items()}, own)
    if named:
        st.html(combined_table(named, subject.case.prescribed, count_alerts, known=known, unit=unit))
    return recommendations, held


def overrides(service: Service, recommendations: Mapping[ModelName, Recommendation]) -> dict[str, float]:
    """The cut-offs that are not the models' own."""
    own = {name: card.manifest.threshold for name, card in service.engine.models.items() if card.manifest}
    return {name: r.threshold for name, r in recommendations.items() if r.threshold != own.get(name)}


def _slider(service: Service, name: ModelName, recommendation: Recommendation) -> Recommendation:
    manifest, own = service.engine.models[name].manifest, recommendation.threshold
    rule = wording.threshold_rule(manifest.threshold_rule) if manifest else ""
    st.html(markup.model_head(name, f"own cut-off {cut_off(own)}{', ' + rule if rule else ''}"))
    key = session.threshold_key(name)
    if st.session_state.get(key) is None:
        st.session_state[key] = round(own, 3)
    value = st.slider(
        f"{wording.MODEL_LABELS[name]} cut-off",
        0.0,
        1.0,
        round(own, 3),
        0.005,
        format="%.3f",
        key=key,
        label_visibility="collapsed",
        help="What scores at or above the cut-off is suggested.",
    )
    threshold = own if value == round(own, 3) else float(value)
    return service.engine.with_threshold(recommendation, threshold)


def _warnings(service: Service, subject: Subject, scores: Scores, recommendation: Recommendation) -> None:
    """What must be known before the scores are read: that they are old, or rest on a part of the case."""
    name = scores.model
    if scores.stored_at is not None:
        why = wording.STORED_WHILE.get(scores.status, scores.reason)
        st.html(markup.callout(wording.STORED.format(day=day(scores.stored_at), why=why).strip(), name))
        if scores.status in ("ready", "failed"):
            _ask_button(service, subject, name, "Ask the model now")
    if recommendation.unseen:
        st.html(unseen_callout(name, recommendation.unseen))
    if recommendation.truncated:
        st.html(markup.callout(cut_text(service, subject.case, name), name))
    if recommendation.read_as:
        st.html(read_as(recommendation.read_as))


def read_as(codes: Sequence[EquivalentCode]) -> Markup:
    """The diagnoses that a model reads through their equivalents, folded under their number."""
    number = count(len(codes), "diagnosis", "diagnoses")
    return render("scores/read_as.html", count=f"{number} read as ICD-10-CM", lines=read_as_lines(codes))


def cut_text(service: Service, case: Case, name: ModelName) -> str:
    """How much of a case a model did not read, and which part."""
    if name == "teacher" and service.status(name).readiness == "ready":
        prompt = service.engine.prompt(case)
        whole = sum(1 for _ in case.codes())
        parts = [
            each[:1].lower() + each[1:].replace(" left out", "").split(":")[0] for each in prompt.dropped
        ]
        if prompt.left_out and parts:
            return wording.CUT_PROMPT.format(read=whole - prompt.left_out, whole=whole, parts=listing(parts))
    manifest = service.engine.models[name].manifest
    most, visits = int((manifest.settings if manifest else {}).get("max_visits") or 0), len(case.history) + 1
    if name == "student" and 0 < most < visits:
        return wording.CUT_VISITS.format(most=most, visits=visits)
    return wording.CUT_TO_FIT[name]


def _no_scores(service: Service, subject: Subject, scores: Scores, others: list[ModelName]) -> None:
    """Why a model shows no scores, in a sentence, and which other model does."""
    name = scores.model
    alone = f" Only the {others[0]}'s scores are shown." if others else ""
    st.html(markup.model_head(name, ""))
    st.html(markup.callout(wording.no_scores(name, scores.status, scores.reason) + alone, name))
    if scores.status in ("loading", "running"):
        st.skeleton(height=60)
    elif scores.status == "failed":
        _ask_button(service, subject, name, "Try again")


def _ask_button(service: Service, subject: Subject, name: ModelName, label: str) -> None:
    st.button(
        label,
        key=f"ask-{name}",
        icon=":material/refresh:",
        type="tertiary",
        on_click=ask_now,
        args=(service, subject.case, name),
    )


def agreement_metrics(
    agreement: comparison.Agreement, alerts: str, *, known: bool, unit: wording.Unit
) -> Markup:
    """The metrics under a cut-off; without known orders only the counts. `alerts`: how many, in words."""
    rows = [(unit.many.capitalize(), f"{agreement.selected}", f"{agreement.hits} ordered" if known else "")]
    if known:
        rows = [("Jaccard", score(agreement.jaccard), ""), ("F1", score(agreement.f1), ""), *rows]
    return markup.metrics(rows) + markup.alert_counts(alerts)


def unseen_callout(name: str, unseen: Sequence[UnseenCode]) -> Markup:
    """Which codes a model did not read; the codes themselves open on demand."""
    return render("scores/unseen.html", name=name, claims=unseen_claims(name, unseen))


def combined_sets(chosen: Mapping[ModelName, Sequence[str]], own: Sequence[str] | None) -> list[NamedSet]:
    """The viewer's own set and each model's, then both models together.

    `own` is None where the viewer did not decide first; the models' own metrics then stand under their cut-offs alone.
    """
    named: list[NamedSet] = []
    if own is not None:
        named.append(NamedSet("You", tuple(own), "own"))
        named += [NamedSet(wording.MODEL_LABELS[name], tuple(codes), name) for name, codes in chosen.items()]
    if len(chosen) == 2:
        first, second = (tuple(codes) for codes in chosen.values())
        named.append(NamedSet("Both models agree", tuple(c for c in first if c in set(second))))
        named.append(NamedSet("Either model", tuple(dict.fromkeys((*first, *second)))))
    return named


def combined_table(
    sets: Sequence[NamedSet],
    prescribed: Sequence[str],
    count_alerts: CountAlerts,
    *,
    known: bool,
    unit: wording.Unit,
) -> Markup:
    """One row per set: how many classes, how many of them were ordered, Jaccard, F1, and how many alerts."""
    rows = [(each, comparison.agreement(each.codes, prescribed), count_alerts(each.codes)) for each in sets]
    return render("scores/combined_sets.html", rows=rows, known=known, unit=unit)
