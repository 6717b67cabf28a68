"""The explanation panel: one class, both models on the same items, by integrated gradients or by leaving one out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

import streamlit as st

from dashboard.scores import comparison_table, explain_table, explanations
from dashboard.scores.explanations import Explained
from dashboard.server.service import Service
from dashboard.shared import markup, session, url_state, wording
from dashboard.shared.formatting import count, cut_off, listing, probability
from dashboard.shared.page_case import titles_of
from dashboard.shared.session import Subject
from dashboard.shared.templates import render
from dashboard.shared.widgets import switch
from leader_core import Recommendation
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.explain import Attribution, Flip, Item, Outcomes

CLASS: Final = comparison_table.EXPLAINED
WAY: Final = "by"
WAYS: Final[Mapping[str, str]] = {"gradients": "Integrated gradients", "removal": "Remove one"}
BINDINGS: Final = {
    CLASS: url_state.Binding.pattern(r"[A-Za-z0-9]{1,7}"),
    WAY: url_state.Binding.choice("gradients", WAYS),
}
_SHOWN: Final = 14
_ON_REQUEST: Final = "It takes the teacher some seconds to a minute on a processor."

Result = Explained[Attribution] | Explained[Outcomes]

_ABOUT: Final[Mapping[str, tuple[str, str, str]]] = {
    "gradients": (
        "The model's log-odds for this class, shared out among what it read, against a patient with average codes.",
        "The shares add up to the difference from that average patient, within a stated tolerance. They do not say "
        "what the score would be without one thing.",
        "The student takes a second or so; the teacher some seconds to a minute on a processor.",
    ),
    "removal": (
        "The case scored again without one thing at a time: how far the probability falls (right) or rises (left).",
        "Exact: every changed case is rendered and encoded again. Effects of several removals need not add up, and "
        "no patient was changed.",
        "One reading of each changed case; all classes are answered at once, so choosing another class is free.",
    ),
}


def show(service: Service, subject: Subject, recommendations: Mapping[ModelName, Recommendation]) -> None:
    """A class to choose, and under it what changed its score in both models."""
    if not recommendations:
        return
    named = {m.code: m.title for r in recommendations.values() for m in r.medications}
    chosen = str(st.session_state.get(CLASS) or "")
    st.html(markup.panel_title("What changed a score", named.get(chosen, "" if chosen else "choose a class")))
    ranked = [m.code for m in next(iter(recommendations.values())).medications]
    options = ["", *ranked, *sorted(set(named) - set(ranked))]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Class to explain",
            options,
            format_func=lambda code: f"{named[code]} ({code})" if code in named else "No class chosen",
            **url_state.mirror(CLASS),
        )
        code = str(st.session_state.get(CLASS) or "")
        if code in named:
            switch("Way of explaining", WAYS, labelled=True, **url_state.mirror(WAY))
    if not code:
        st.html(
            markup.note(
                "Nothing chosen: choose a class to see which diagnoses, drugs and visits changed its score."
            )
        )
        return
    if code not in named:
        st.html(markup.callout(f"Neither model scores {code}: choose another class.", "warn"))
        return
    _explained(service, subject, recommendations, code)


def _way() -> str:
    way = str(st.session_state.get(WAY) or "gradients")
    return way if way in WAYS else "gradients"


def _explained(
    service: Service, subject: Subject, recommendations: Mapping[ModelName, Recommendation], code: str
) -> None:
    way = _way()
    results: dict[ModelName, Result] = {}
    for column, name in zip(st.columns(2, gap="large"), MODEL_NAMES, strict=True):
        with column:
            results[name] = _side(service, subject, name, recommendations.get(name), code)
    values = [_values(result, code) for result in results.values()]
    if any(values):
        groups = explain_table.item_groups(subject.case, (values[0], values[1]), titles_of(service))
        teacher, student = (
            "not read" if result.status == "ready" else "…" if result.status == "running" else "–"
            for result in results.values()
        )
        unit = "log-odds" if way == "gradients" else "probability"
        table = functools.partial(
            explain_table.table, groups, summed=way == "gradients", missing=(teacher, student)
        )
        st.html(
            markup.note(f"Bars in {unit}: right raises the score, left lowers it.")
            + table(caption=f"What changed the score of {code} in both models, in {unit}", most=_SHOWN)
        )
        if sum(len(group.rows) for group in groups) > _SHOWN:
            with st.expander("Everything that was read"):
                st.html(table(caption=f"Everything that changed {code}", most=10_000))
    if way == "removal":
        _flips(service, subject, recommendations, code, results)
    is_, holds, costs = _ABOUT[way]
    st.html(markup.facts([("What it is", is_), ("What it guarantees", holds), ("What it costs", costs)]))


def _side(
    service: Service, subject: Subject, name: ModelName, recommendation: Recommendation | None, code: str
) -> Result:
    """One model: its score, and the explanation's method, its progress, or why there is none."""
    scored = next((m for m in recommendation.medications if m.code == code), None) if recommendation else None
    st.html(markup.model_head(name, f"score {probability(scored.probability)}" if scored else ""))
    result: Result
    # The class that a link is about goes along from case to case: each step would ask the teacher.
    on_request = name == "teacher" and code == session.focused_class()
    if _way() == "gradients":
        result = explanations.gradients(service, subject.case, name, code, on_request=on_request)
    else:
        result = explanations.removals(service, subject.case, name, on_request=on_request)
    if result.status == "ready":
        st.html(markup.note(in_words(result.value)) + render("scores/exactness.html", text=how(result.value)))
    elif result.status == "waiting":
        st.html(markup.note(_ON_REQUEST))
    elif result.status != "running":
        st.html(markup.callout(result.reason or f"The {name} gives no explanation.", name))
    explanations.button(result)
    return result


def in_words(value: object) -> str:
    """What an explanation says of the score, in a plain sentence."""
    if isinstance(value, Attribution):
        unread = f" {count(len(value.unread), 'code')} of it not read." if value.unread else ""
        start = "An average patient" if value.model == "student" else "A prompt of average words"
        return (
            f"{start} scores {probability(value.baseline_probability)}; what the {value.model} read of this "
            f"case takes that to {probability(value.probability)}.{unread}"
        )
    if isinstance(value, Outcomes):
        return f"{count(len(value.changes), 'thing')} of the case left out in turn, and the case scored again each time."
    return ""


def how(value: object) -> str:
    """The method of an explanation, and whether its shares add up, in a sentence."""
    if isinstance(value, Attribution):
        closed = "add up" if value.complete else "do NOT add up"
        unread = f" {count(len(value.unread), 'code')} not read." if value.unread else ""
        return (
            f"{value.steps} steps from {probability(value.baseline_probability)} ({value.baseline}). The shares {closed}: "
            f"gap {abs(value.gap):.3f} log-odds, tolerance {value.tolerance:.3f}.{unread}"
        )
    if isinstance(value, Outcomes):
        return f"{count(len(value.changes), 'thing')} left out in turn, {count(value.scored, 'reading')}, {value.seconds:.1f} s."
    return ""


def _values(result: Result, code: str) -> Mapping[Item, float] | None:
    if isinstance(result.value, Attribution):
        return result.value.values()
    if isinstance(result.value, Outcomes) and code in result.value.codes:
        return result.value.effects(code)
    return None


def _flips(
    service: Service,
    subject: Subject,
    recommendations: Mapping[ModelName, Recommendation],
    code: str,
    results: Mapping[ModelName, Result],
) -> None:
    """The smallest set of removals that takes the class over each model's cut-off, on request."""
    st.html(markup.panel_title("What it would take", "the fewest codes or profile fields to leave out"))
    for name, result in results.items():
        outcomes = result.value
        if not isinstance(outcomes, Outcomes) or name not in recommendations or code not in outcomes.codes:
            continue
        smallest = explanations.flip(
            service, subject.case, name, code, recommendations[name].threshold, outcomes
        )
        if smallest.value is not None:
            st.html(markup.callout(_flip_sentence(smallest.value, titles_of(service), subject), name))
        elif smallest.reason:
            st.html(markup.callout(smallest.reason, name))
        explanations.button(smallest, f"Search in the {name}")


def _flip_sentence(flip: Flip, titles: markup.Titles, subject: Subject) -> str:
    names = listing(
        titles(item.kind, item.name) if item.kind else wording.FIELD_LABELS.get(item.name, item.name)
        for item in flip.removed
    )
    who = wording.MODEL_LABELS[flip.model]
    move = f"from {probability(flip.before)} to {probability(flip.after)}, cut-off {cut_off(flip.threshold)}"
    if not flip.removed:
        return f"{who}: there is nothing to leave out."
    if not flip.flipped:
        return (
            f"{who}: no set was found that crosses the cut-off. Leaving out {names} only takes the score {move}. Greedy "
            "search may miss a set; no single removal does it."
        )
    proof = (
        "One removal is the smallest set there is."
        if len(flip.removed) == 1
        else "No single removal does it, so two is the smallest number."
        if flip.exact
        else f"Greedy search: {len(flip.removed)} is an upper bound, and at least {flip.at_least} are needed."
    )
    return f"{who}: without {names} the score goes {move}. {proof}"


def query() -> dict[str, str]:
    """URL parameters of what is explained."""
    return url_state.written(BINDINGS) if st.session_state.get(CLASS) else {}
