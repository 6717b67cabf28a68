"""Case: who the patient is, what was done and given, and the teacher, the student and the prescription side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from dashboard import comparison, navigation, state, wording
from dashboard.components import comparison_table, markup
from dashboard.components.subject import case_title, titles_of
from dashboard.service import MODELS, ModelName, Scores, Service, get_service, scores
from dashboard.state import Subject
from leader_core import Interaction, Recommendation

CUT_KEYS: Final[Mapping[ModelName, str]] = {"teacher": "teacher_cut", "student": "student_cut"}


def draw() -> None:
    service = get_service()
    subject = state.subject(service)
    if subject is None:
        st.html(markup.title("Case"))
        navigation.no_case()
        return
    state.remember(subject)
    _head(service, subject)
    left, rest = st.columns([1, 3.4], gap="large")
    with left:
        _person(service, subject)
    with rest:
        pending = any(scores(service, subject.case, name).pending for name in MODELS)
        st.fragment(_models, run_every=0.7 if pending else None)(service, subject, pending)


def _head(service: Service, subject: Subject) -> None:
    """Who, which visit, and the ways to the other pages about this case."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(case_title(subject), width="content")
        st.space("stretch")
        if subject.source == "cohort":
            _visit_choice(service, subject)
        navigation.link("interactions", "Interactions", subject.query)
        navigation.link("prompt", "Prompt", subject.query)
        if st.button("Edit a copy", icon=":material/edit:", type="tertiary", help="Opens the case under New case; the patient stays as recorded."):
            state.start_from(subject.case, service)
            navigation.go("new")


def _visit_choice(service: Service, subject: Subject) -> None:
    total = service.engine.cohort.case(subject.patient_id or 0).current.visit_no or 1
    if total < 2:
        return
    chosen = st.segmented_control(
        "Visit", range(1, total + 1), default=subject.visit_no, required=True, key=f"visit-of-{subject.patient_id}",
        format_func=lambda n: f"Visit {n}", label_visibility="collapsed",
    )
    if chosen is not None and chosen != subject.visit_no:
        st.query_params[state.VISIT] = str(chosen)
        st.rerun()


def _person(service: Service, subject: Subject) -> None:
    case = subject.case
    titles = titles_of(service)
    student = scores(service, case, "student").recommendation
    st.html(
        markup.panel_title("Profile")
        + markup.profile(case, service.engine.cohort.profile_fields, student.profile_read if student else ())
        if student
        else markup.panel_title("Profile") + markup.facts(markup.profile_facts(case, service.engine.cohort.profile_fields))
    )
    if case.is_first_visit:
        st.html(markup.callout(wording.FIRST_VISIT, "student"))
    visits = [*case.history, case.current]
    st.html(
        markup.panel_title("Visits", "newest first")
        + markup.axis([v.admitted_at for v in visits], len(visits) - 1)
        + markup.timeline(case, titles)
    )


def _models(service: Service, subject: Subject, was_pending: bool) -> None:
    """Everything that moves with the cut-offs; reruns alone."""
    found = {name: scores(service, subject.case, name, patience=0.05 if was_pending else 0.35) for name in MODELS}
    if was_pending and not any(f.pending for f in found.values()):
        st.rerun()
    known = subject.source == "cohort"
    centre, right = st.columns([2.55, 1], gap="large")
    with centre:
        cut = _cut_offs(service, subject, found)
        _table(service, subject, found, cut, known)
    with right:
        _interactions(service, subject, cut, known)


def _cut_offs(service: Service, subject: Subject, found: Mapping[ModelName, Scores]) -> dict[ModelName, Recommendation]:
    """A slider a model, the teacher left and the student right, with the figures that follow from it."""
    cut: dict[ModelName, Recommendation] = {}
    for name, column in zip(MODELS, st.columns(2, gap="large"), strict=True):
        with column:
            recommendation = found[name].recommendation
            if recommendation is None:
                _not_there(service, name, found[name])
                continue
            cut[name] = _cut_off(service, subject, name, recommendation)
    return cut


def _cut_off(service: Service, subject: Subject, name: ModelName, recommendation: Recommendation) -> Recommendation:
    manifest = service.engine.models[name].manifest
    chosen, rule = recommendation.threshold, manifest.threshold_rule if manifest else ""
    st.html(markup.model_head(name, f"its own cut-off is {chosen:.2f}{', ' + rule if rule else ''}"))
    value = st.slider(
        f"{wording.MODEL_NAMES[name]} cut-off", 0.0, 1.0, round(chosen, 2), 0.01, key=CUT_KEYS[name], bind="query-params",
        label_visibility="collapsed", help="Classes with a score at or above the cut-off are suggested.",
    )
    threshold = chosen if value == round(chosen, 2) else float(value)
    moved = service.engine.with_threshold(recommendation, threshold)
    agreement = comparison.agreement((m.code for m in moved.selected), subject.case.prescribed)
    st.html(markup.agreement_figures(agreement, moved.interactions, known=subject.source == "cohort"))
    if moved.unseen:
        st.html(markup.callout(markup.unseen_sentence(name, moved.unseen), name))
    if moved.truncated:
        st.html(markup.callout(f"The {name} could not read all of this case: it was cut to fit.", name))
    return moved


def _not_there(service: Service, name: ModelName, found: Scores) -> None:
    """Why a model shows no scores, in a sentence."""
    st.html(markup.model_head(name, ""))
    label = wording.MODEL_NAMES[name]
    if found.status == "loading":
        st.html(markup.callout(wording.LOADING.format(model=f"The {name}", seconds=service.status(name).seconds), name))
        st.skeleton(height=60)
    elif found.status == "running":
        st.html(markup.callout(wording.RUNNING.format(model=f"The {name}"), name))
        st.skeleton(height=60)
    else:
        st.html(markup.callout(f"{label} scores are not available. {found.reason}", name))


def _table(
    service: Service, subject: Subject, found: Mapping[ModelName, Scores], cut: Mapping[ModelName, Recommendation], known: bool
) -> None:
    if not cut and not (known and subject.case.prescribed):
        return
    case = subject.case
    made = comparison.rows(cut.get("teacher"), cut.get("student"), case.prescribed, service.engine.cohort.titles("medication"))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        grouping = st.segmented_control(
            "Group by", ["agreement", "area"], default="agreement", required=True, key="grouping", label_visibility="collapsed",
            format_func={"agreement": "By agreement", "area": "By therapeutic area"}.__getitem__,
        )
        hidden = known and st.toggle("Hide what was prescribed", key="hide_prescribed")
    orders = service.engine.cohort.orders(case.current.visit_id) if known and case.current.visit_id is not None else ()
    comparison_table.show(
        made,
        found,
        {name: recommendation.threshold for name, recommendation in cut.items()},
        orders,
        subject=str(sorted(subject.query.items())),
        note=wording.CLASSES_ONLY.format(level=service.engine.cohort.fingerprint.atc_level),
        prescribed_known=known and not hidden,
        by_area=grouping == "area",
    )
    st.html(markup.note(wording.TEACHER_SCORES))


def _interactions(service: Service, subject: Subject, cut: Mapping[ModelName, Recommendation], known: bool) -> None:
    """Pairs among the selected, most severe first, for one of the sets at a time."""
    sets: dict[str, tuple[Interaction, ...]] = {name: r.interactions for name, r in cut.items()}
    if known:
        sets["prescribed"] = service.engine.cohort.interactions.among(subject.case.prescribed)
    st.html(markup.panel_title("Interactions", "most severe first"))
    if not sets:
        st.html(markup.note("They appear with the first scores."))
        return
    labels = {**wording.MODEL_NAMES, "prescribed": "Prescribed"}
    chosen = st.segmented_control(
        "Interactions among", list(sets), default=next(iter(sets)), required=True, key="pairs_of", label_visibility="collapsed",
        format_func=lambda name: f"{labels[name]} {len(sets[name])}",
    )
    pairs = sets.get(str(chosen), ())
    if pairs:
        st.html(markup.interactions(pairs, titles_of(service)))
    else:
        st.html(markup.note(wording.NO_PAIR))
    st.html(markup.note(markup.table_covers(service.engine.cohort.interactions)))
