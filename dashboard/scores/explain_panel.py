"""What moved a score: one class, both models on the same items, by integrated gradients or by leaving one out.

Owns the panel and its states; refuses to know how an explanation is made (`dashboard.scores.explanations`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from dashboard.scores import comparison_table, explain_table, explanations
from dashboard.scores.explanations import Answer
from dashboard.server.service import MODELS, ModelName, Service
from dashboard.shared import markup, url_state, wording
from dashboard.shared.formatting import count, escape, listing, probability, tag
from dashboard.shared.guard import fragment
from dashboard.shared.session import Subject
from dashboard.shared.subject import titles_of
from leader_core import Recommendation
from leader_core.explain import Attribution, Flip, Item, Outcomes

CLASS: Final = comparison_table.EXPLAINED
WAY: Final = "by"
WAYS: Final[Mapping[str, str]] = {"gradients": "Integrated gradients", "removal": "Remove one"}
BINDINGS: Final = {
    CLASS: url_state.Binding("", lambda text: text if text.isalnum() and len(text) <= 7 else None),
    WAY: url_state.Binding.choice("gradients", WAYS),
}
_SHOWN: Final = 14

_ABOUT: Final[Mapping[str, tuple[str, str, str]]] = {
    "gradients": (
        "The model's log-odds for this class, shared out among what it read, against a patient with average codes.",
        "The shares add up to the difference from that average patient, within a stated tolerance. They do not say "
        "what the score would be without one thing.",
        "The student takes a second or so; the teacher some seconds to a minute on a processor.",
    ),
    "removal": (
        "The case scored again without one thing at a time: how far the probability falls (right) or rises (left).",
        "Exact: every changed case is rendered and encoded anew. Effects of several removals need not add up, and "
        "no patient was changed.",
        "One reading of each changed case; all classes are answered at once, so choosing another class is free.",
    ),
}


def show(service: Service, subject: Subject, cut: Mapping[ModelName, Recommendation]) -> None:
    """A class to choose, and under it what moved its score in both models."""
    if not cut:
        return
    named = {m.code: m.title for r in cut.values() for m in r.medications}
    st.html(markup.panel_title("What moved a score", "choose a class"))
    ranked = [m.code for m in next(iter(cut.values())).medications]
    options = ["", *ranked, *sorted(set(named) - set(ranked))]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Class to explain",
            options,
            format_func=lambda code: f"{named[code]} ({code})" if code in named else "No class chosen",
            **url_state.mirror(CLASS, None),
        )
        code = str(st.session_state.get(CLASS) or "")
        if code in named:
            st.segmented_control(
                "Way of explaining",
                list(WAYS),
                format_func=WAYS.__getitem__,
                required=True,
                **url_state.mirror(WAY, None),
            )
    if not code:
        st.html(
            markup.note(
                "Nothing chosen: choose a class to see which diagnoses, drugs and visits moved its score."
            )
        )
        return
    if code not in named:
        st.html(markup.callout(f"Neither model scores {code}: choose another class.", "warn"))
        return
    pending = any(answer.pending for answer in _answers(service, subject, code).values())
    fragment(_drawn, run_every=0.8 if pending else None)(service, subject, cut, code, pending)


def _way() -> str:
    found = str(st.session_state.get(WAY) or "gradients")
    return found if found in WAYS else "gradients"


def _answers(
    service: Service, subject: Subject, code: str
) -> dict[ModelName, Answer[Attribution] | Answer[Outcomes]]:
    found: dict[ModelName, Answer[Attribution] | Answer[Outcomes]] = {}
    for name in MODELS:
        if _way() == "gradients":
            found[name] = explanations.gradients(service, subject.case, name, code)
        else:
            found[name] = explanations.removals(service, subject.case, name)
    return found


def _drawn(
    service: Service, subject: Subject, cut: Mapping[ModelName, Recommendation], code: str, was_pending: bool
) -> None:
    answers = _answers(service, subject, code)
    if was_pending != any(answer.pending for answer in answers.values()):
        st.rerun()  # also where it was asked again: only a page drawn anew looks by itself
    way = _way()
    for column, (name, answer) in zip(st.columns(2, gap="large"), answers.items(), strict=True):
        with column:
            _told(name, answer, cut.get(name), code)
    values = [_values(answer, code) for answer in answers.values()]
    if any(values):
        found = explain_table.item_groups(subject.case, (values[0], values[1]), titles_of(service))
        missing = tuple("not read" if a.status == "ready" else "…" for a in answers.values())
        unit = "log-odds" if way == "gradients" else "probability"
        st.html(
            tag("p", escape(f"Bars in {unit}: right raises the score, left lowers it. "), css="ld-note")
            + explain_table.table(
                found,
                caption=f"What moved the score of {code} in both models, in {unit}",
                most=_SHOWN,
                summed=way == "gradients",
                missing=(missing[0], missing[1]),
            )
        )
        if sum(len(group.rows) for group in found) > _SHOWN:
            with st.expander("Everything that was read"):
                st.html(
                    explain_table.table(
                        found,
                        caption=f"Everything that moved {code}",
                        most=10_000,
                        summed=way == "gradients",
                        missing=(missing[0], missing[1]),
                    )
                )
    if way == "removal":
        _flips(service, subject, cut, code, answers)
    is_, holds, costs = _ABOUT[way]
    st.html(markup.facts([("What it is", is_), ("What it guarantees", holds), ("What it costs", costs)]))


def _told(
    name: ModelName,
    answer: Answer[Attribution] | Answer[Outcomes],
    recommendation: Recommendation | None,
    code: str,
) -> None:
    """A model's head: its score, how the explanation was made, or why there is none yet."""
    scored = next((m for m in recommendation.medications if m.code == code), None) if recommendation else None
    st.html(markup.model_head(name, f"score {probability(scored.probability)}" if scored else ""))
    if answer.status == "ready":
        st.html(markup.note(how(answer.value)))
    elif answer.status == "running":
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(markup.note(f"Working: {answer.progress}."))
            st.button("Stop", key=f"stop-{name}", on_click=explanations.stop, args=(name,), type="tertiary")
    elif answer.status == "stopped":
        st.html(markup.callout(answer.reason, name))
        st.button(
            "Explain again", key=f"again-{name}", on_click=explanations.again, args=(name,), type="tertiary"
        )
    elif answer.status == "loading":
        st.html(markup.callout(wording.LOADING.format(model=f"The {name}"), name))
    else:
        st.html(markup.callout(answer.reason or f"The {name} gives no explanation.", name))


def how(value: object) -> str:
    """How an explanation was made, and whether it holds, in a sentence."""
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


def _values(answer: Answer[Attribution] | Answer[Outcomes], code: str) -> Mapping[Item, float] | None:
    if isinstance(answer.value, Attribution):
        return answer.value.values()
    if isinstance(answer.value, Outcomes) and code in answer.value.codes:
        return answer.value.effects(code)
    return None


def _flips(
    service: Service,
    subject: Subject,
    cut: Mapping[ModelName, Recommendation],
    code: str,
    answers: Mapping[ModelName, Answer[Attribution] | Answer[Outcomes]],
) -> None:
    """The smallest set of removals that takes the class over each model's cut-off, on request."""
    st.html(markup.panel_title("What it would take", "the fewest codes or profile fields to leave out"))
    key = f"flip-{subject.key}-{code}"
    for name, answer in answers.items():
        outcomes = answer.value
        if not isinstance(outcomes, Outcomes) or name not in cut or code not in outcomes.codes:
            continue
        if not st.session_state.get(f"{key}-{name}"):
            label = f"Search in the {name}"
            st.button(
                label, key=f"ask-{key}-{name}", on_click=_wanted, args=(f"{key}-{name}",), type="tertiary"
            )
            continue
        with st.spinner(f"The {name} is searching…"):
            found = explanations.flip(service, subject.case, name, code, cut[name].threshold, outcomes)
        if found.value is not None:
            st.html(markup.callout(_flip_sentence(found.value, titles_of(service), subject), name))
        elif found.pending:
            fragment(_waiting, run_every=0.8)(service, subject, name, code, cut[name].threshold, outcomes)
        else:
            st.html(markup.callout(found.reason, name))


def _wanted(key: str) -> None:
    st.session_state[key] = True


def _waiting(
    service: Service, subject: Subject, name: ModelName, code: str, threshold: float, outcomes: Outcomes
) -> None:
    found = explanations.flip(service, subject.case, name, code, threshold, outcomes)
    if not found.pending:
        st.rerun()
    st.html(markup.note(f"The {name} is searching: {found.progress}."))
    st.button("Stop", key=f"stop-flip-{name}", on_click=explanations.stop, args=(name,), type="tertiary")


def _flip_sentence(found: Flip, titles: markup.Titles, subject: Subject) -> str:
    names = listing(
        titles(item.kind, item.name) if item.kind else wording.FIELD_LABELS.get(item.name, item.name)
        for item in found.removed
    )
    who, cut = wording.MODEL_NAMES[found.model], f"cut-off {found.threshold:.2f}"
    move = f"from {probability(found.before)} to {probability(found.after)}, {cut}"
    if not found.removed:
        return f"{who}: there is nothing to leave out."
    if not found.flipped:
        return (
            f"{who}: the search found no set that does it. Leaving out {names} only takes the score {move}. Greedy "
            "search may miss a set; no single removal does it."
        )
    proof = (
        "One removal is the smallest set there is."
        if len(found.removed) == 1
        else "No single removal does it, so two is the smallest number."
        if found.exact
        else f"Found greedily: {len(found.removed)} is an upper bound, and at least {found.at_least} are needed."
    )
    return f"{who}: without {names} the score goes {move}. {proof}"


def linked() -> dict[str, str]:
    """URL parameters of what is explained."""
    return url_state.written(BINDINGS) if st.session_state.get(CLASS) else {}
