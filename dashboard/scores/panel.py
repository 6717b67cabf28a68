"""Both models on one case: cut-offs with their figures, the comparison table, and interactions among the selected.

Shared by every page that shows scores, so that teacher and student look the same everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.interactions import cautions as reviewed
from dashboard.interactions import sets
from dashboard.scores import (
    comparison_table,
    decide_first,
    explain_panel,
    notes,
    similar_panel,
    summary,
    tabs,
    trust_panel,
)
from dashboard.scores.evidence_text import SimilarResult
from dashboard.server.answers import Scores, all_scores, try_again
from dashboard.server.service import MODELS, ModelName, Service
from dashboard.shared import comparison, decision, markup, navigation, session, url_state, wording
from dashboard.shared.case_text import table_covers
from dashboard.shared.formatting import count, day
from dashboard.shared.session import Subject
from dashboard.shared.subject import titles_of
from leader_core import PairReview, Recommendation

_SHOWN = 10
_WARNINGS = 4
BINDINGS = {
    **{session.cut_key(name): url_state.Binding(None, session.read_cut_off) for name in MODELS},
    **tabs.BINDINGS,
    **similar_panel.BINDINGS,
    **explain_panel.BINDINGS,
}
"""None stands for the model's own cut-off."""


Export = Callable[[Mapping[ModelName, Recommendation], SimilarResult], None]
"""Draws the export button of a page for the scores and neighbours that its panel shows."""


def show(service: Service, subject: Subject, page: str, export: Export) -> None:
    """Scores, cut-offs, the comparison table and the interactions, for the page "case" or "new"."""
    query = session.url_query() if page == "case" else st.query_params.to_dict()
    url_state.enter(identity(subject, page), BINDINGS, {**tabs.kept(), **query})
    _panel(service, subject, page, export)


def identity(subject: Subject, page: str) -> str:
    """What the page is about: another case means that its values are read from the link anew."""
    return f"{page} {id(subject.case) if subject.source == 'draft' else subject.query}"


def _panel(service: Service, subject: Subject, page: str, export: Export) -> None:
    scores = all_scores(service, subject.case)
    centre, right = st.columns([2.55, 1], gap="large") if page == "case" else (st.container(), st.container())
    if session.undecided(subject):
        with centre, st.container(key="classes"):
            decide_first.choose(service, subject)
        with right, st.container(key="pairs"):
            _, places = tabs.tabs("pairs", *_own(subject))
            with places["pairs"]:
                decide_first.own_interactions(service, subject)
            _notes(service, subject, places)
        link = {**session.linked(subject), **url_state.written(tabs.BINDINGS)}
    else:
        link = _answers(service, subject, scores, centre, right, export)
    session.keep(link)
    url_state.publish(
        page, link if page == "case" else {k: v for k, v in link.items() if k not in subject.query}
    )


def _answers(
    service: Service,
    subject: Subject,
    scores: Mapping[ModelName, Scores],
    centre: DeltaGenerator,
    right: DeltaGenerator,
    export: Export,
) -> dict[str, str]:
    """Everything that the models say, beside what is known; gives the URL parameters of this view."""
    known = subject.source == "cohort" and not session.hidden(subject)
    own = decision.chosen(subject.key) if known and session.view() == "decide" else None
    near = similar_panel.find(service, subject.case)
    with centre:
        with st.container(key="cut_offs"):
            cut = _cut_offs(service, subject, scores, known)
            _together(service, subject, cut, own, known)
        link = {
            **session.linked(subject, _moved(service, cut)),
            **url_state.written({**tabs.BINDINGS, **similar_panel.BINDINGS}),
        }
        with st.container(key="classes"):
            more = trust_panel.details(service, cut, near)
            draw_export = functools.partial(export, cut, similar_panel.result(service, near))
            _table(service, subject, scores, cut, known, own, link, more, draw_export)
        with st.container(key="why"):
            explain_panel.show(service, subject, cut)
    with right, st.container(key="pairs"):
        opened, places = tabs.tabs("pairs", "similar", "trust", *_own(subject))
        with places[opened]:
            if opened == "pairs":
                _interactions(service, subject, cut, known, link)
            elif opened == "similar":
                similar_panel.show(service, subject, cut, near)
            elif opened == "trust":
                trust_panel.show(service, cut, near)
        _notes(service, subject, places)
    return {**link, **explain_panel.linked()}


def _own(subject: Subject) -> tuple[tabs.Tab, ...]:
    """The tab for what the viewer writes: only a recorded patient has notes."""
    return ("notes",) if subject.patient_id is not None else ()


def _notes(service: Service, subject: Subject, places: Mapping[tabs.Tab, DeltaGenerator]) -> None:
    """Drawn whichever tab is open: a note half written is in the browser only, and goes with its form."""
    if subject.patient_id is not None:
        with places["notes"]:
            notes.show(service, subject.patient_id, subject.case.current.visit_id)


def _together(
    service: Service,
    subject: Subject,
    cut: Mapping[ModelName, Recommendation],
    own: tuple[str, ...] | None,
    known: bool,
) -> None:
    """The combined figures; nothing where there is only one set to tell of."""
    chosen = {name: [m.code for m in r.selected] for name, r in cut.items()}
    lines = summary.combined_sets(chosen, own)
    if lines:
        st.html(
            summary.combined_table(
                lines,
                subject.case.prescribed,
                lambda codes: _standing(service, subject, codes, known),
                known=known,
                unit=wording.unit(service.engine.cohort.fingerprint.atc_level),
            )
        )


def _standing(service: Service, subject: Subject, codes: Sequence[str], known: bool) -> Sequence[PairReview]:
    """The pairs of a set that the list beside it shows, so that every count on the page agrees with it."""
    ordered = sets.orders(service, subject) if known else ()
    return sets.review(service, subject, tuple(codes), ordered).standing


def _moved(service: Service, cut: Mapping[ModelName, Recommendation]) -> dict[str, float]:
    """The cut-offs that are not the models' own."""
    own = {name: card.manifest.threshold for name, card in service.engine.models.items() if card.manifest}
    return {name: r.threshold for name, r in cut.items() if r.threshold != own.get(name)}


def _cut_offs(
    service: Service, subject: Subject, scores: Mapping[ModelName, Scores], known: bool
) -> dict[ModelName, Recommendation]:
    """A slider a model, the teacher left and the student right, with the figures that follow from it."""
    cut: dict[ModelName, Recommendation] = {}
    for name, column in zip(MODELS, st.columns(2, gap="large"), strict=True):
        with column:
            recommendation = scores[name].recommendation
            if recommendation is None:
                others = [other for other in MODELS if other != name and scores[other].recommendation]
                _not_there(name, scores[name], others)
                continue
            cut[name] = _cut_off(service, subject, scores[name], recommendation, known)
    return cut


def _cut_off(
    service: Service, subject: Subject, scores: Scores, recommendation: Recommendation, known: bool
) -> Recommendation:
    name = scores.model
    manifest = service.engine.models[name].manifest
    chosen, rule = (
        recommendation.threshold,
        wording.threshold_rule(manifest.threshold_rule) if manifest else "",
    )
    st.html(markup.model_head(name, f"own cut-off {chosen:.2f}{', ' + rule if rule else ''}"))
    key = session.cut_key(name)
    if st.session_state.get(key) is None:
        st.session_state[key] = round(chosen, 2)
    value = st.slider(
        f"{wording.MODEL_NAMES[name]} cut-off",
        0.0,
        1.0,
        round(chosen, 2),
        0.01,
        key=key,
        label_visibility="collapsed",
        help="What scores at or above the cut-off is suggested.",
    )
    threshold = chosen if value == round(chosen, 2) else float(value)
    moved = service.engine.with_threshold(recommendation, threshold)
    agreement = comparison.agreement((m.code for m in moved.selected), subject.case.prescribed)
    unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
    with st.container(key=f"figures-{name}"):
        pairs = _standing(service, subject, [m.code for m in moved.selected], known)
        st.html(summary.agreement_metrics(agreement, pairs, known=known, unit=unit))
    _warnings(scores, moved)
    return moved


def _warnings(scores: Scores, moved: Recommendation) -> None:
    """What must be known before the scores are read: that they are old, or rest on a part of the case."""
    name = scores.model
    if scores.stored_at is not None:
        why = wording.STORED_WHILE.get(scores.status, scores.reason)
        notice = st.empty()
        notice.html(markup.callout(wording.STORED.format(day=day(scores.stored_at), why=why).strip(), name))
        if scores.deferred is not None:
            scores.deferred.notices.append(notice)
    if moved.unseen:
        st.html(summary.unseen_callout(name, moved.unseen))
    if moved.truncated:
        st.html(markup.callout(wording.CUT_TO_FIT[name], name))


def _not_there(name: ModelName, scores: Scores, others: list[ModelName]) -> None:
    """Why a model shows no scores, in a sentence, and who stands alone meanwhile."""
    alone = f" Only the {others[0]}'s scores stand here." if others else ""
    st.html(markup.model_head(name, ""))
    if scores.status in ("loading", "running"):
        text = wording.LOADING if scores.status == "loading" else wording.RUNNING
        st.html(markup.callout(text.format(model=f"The {name}") + alone, name))
        st.skeleton(height=60)
        return
    label = wording.MODEL_NAMES[name]
    st.html(markup.callout(f"{label} scores are not available.{alone} {scores.reason}", name))
    if scores.status == "failed":
        st.button("Try again", key=f"try-{name}", on_click=try_again, type="tertiary")


def _table(
    service: Service,
    subject: Subject,
    scores: Mapping[ModelName, Scores],
    cut: Mapping[ModelName, Recommendation],
    known: bool,
    own: tuple[str, ...] | None,
    link: Mapping[str, str],
    more: trust_panel.Lines,
    export: Callable[[], None],
) -> None:
    if not cut and not (known and subject.case.prescribed):
        return
    case = subject.case
    rows = comparison.rows(
        cut.get("teacher"),
        cut.get("student"),
        case.prescribed if known else (),
        service.engine.cohort.titles("medication"),
        own or (),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        grouping = st.segmented_control(
            "Group by",
            ["agreement", "area"],
            default="agreement",
            required=True,
            key="grouping",
            label_visibility="collapsed",
            format_func={"agreement": "By agreement", "area": "By therapeutic area"}.__getitem__,
        )
        if own is not None:
            decide_first.start_again(subject)
        st.space("stretch")
        navigation.link("prompt", "The teacher's prompt", link)
        if cut:
            export()
    orders = (
        service.engine.cohort.orders(case.current.visit_id)
        if known and case.current.visit_id is not None
        else ()
    )
    comparison_table.show(
        rows,
        scores,
        {name: recommendation.threshold for name, recommendation in cut.items()},
        orders,
        subject=str(sorted(subject.query.items())),
        note=wording.scope(service.engine.cohort.fingerprint.atc_level),
        prescribed_known=known,
        by_area=grouping == "area",
        own=own is not None,
        more=more,
    )
    st.html(markup.note(wording.TEACHER_SCORES))


def _interactions(
    service: Service,
    subject: Subject,
    cut: Mapping[ModelName, Recommendation],
    known: bool,
    link: Mapping[str, str],
) -> None:
    """Pairs among the selected, most severe first, for one of the sets at a time, and what their conditions add."""
    codes: dict[str, tuple[str, ...]] = {name: tuple(m.code for m in r.selected) for name, r in cut.items()}
    if known:
        codes["prescribed"] = subject.case.prescribed
    st.html(markup.panel_title("Among the selected", "most severe first"))
    if not codes:
        st.html(markup.note("They appear with the first scores."))
        return
    orders = sets.orders(service, subject) if known else ()
    reviews = {name: sets.review(service, subject, own, orders) for name, own in codes.items()}
    chosen = st.segmented_control(
        "Interactions among",
        list(codes),
        default=next(iter(codes)),
        required=True,
        key=f"pairs_of_{'_'.join(codes)}",
        persist_state="page",
        label_visibility="collapsed",
        width="stretch",
        format_func=lambda name: f"{sets.LABELS[name]} {len(reviews[name].standing)}",
    )
    review = reviews.get(str(chosen), next(iter(reviews.values())))
    titles = titles_of(service)
    pairs = review.standing
    if pairs:
        st.html(reviewed.pairs(pairs[:_SHOWN], titles))
    else:
        st.html(markup.note(wording.NO_PAIR))
    more = f"{len(pairs) - _SHOWN} more, and the graph" if len(pairs) > _SHOWN else "Details and graph"
    navigation.link("interactions", more, {**link, "set": str(chosen)})
    if ruled_out := len(review.pairs) - len(pairs):
        unit = wording.unit(service.engine.cohort.fingerprint.atc_level)
        text = f"{count(ruled_out, 'more pair')} of these {unit.many}: not carried by the drugs ordered in this visit."
        st.html(markup.note(text))
    if review.conditions:
        st.html(
            markup.panel_title("Against the conditions")
            + reviewed.conditions(review.conditions, titles, most=_WARNINGS)
        )
    st.html(markup.note(table_covers(service.engine.cohort.interactions)))
