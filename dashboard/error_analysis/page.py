"""Error analysis: over a split or a saved list, where each model errs, and the cases behind every number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from dashboard.error_analysis import (
    case_map,
    classes,
    cross_filter,
    curves,
    findings,
    groups,
    heat_map,
    influence,
    scoring,
    slices,
    tags,
    tree,
    two_models,
)
from dashboard.error_analysis.context import AnalysisContext, case_sets, link_text
from dashboard.error_analysis.report import report_button
from dashboard.server import analysis_cache
from dashboard.server.analysis_cache import AnalysisCache
from dashboard.server.service import Service, get_service
from dashboard.shared import markup, navigation, url_state, wording
from dashboard.shared.analysis import CASES, LISTS, METRICS, TARGETS, model_name
from dashboard.shared.formatting import count, plain, shortened
from dashboard.shared.view_switch import is_research
from dashboard.shared.widgets import switch
from leader_core import LeaderError, NotFoundError
from leader_core.error_analysis import FIELDS, TREE_FIELDS, Analysis, Selection


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """One view: its title, and what draws it."""

    title: str
    draw: Callable[[AnalysisContext], None]
    by_metric: bool = False  # whether the choice of a metric concerns it


VIEWS: Final[Mapping[str, AnalysisView]] = {
    "findings": AnalysisView("Findings", findings.draw),
    "groups": AnalysisView("Groups", groups.draw, by_metric=True),
    "tree": AnalysisView("Error tree", tree.draw),
    "heat": AnalysisView("Two fields", heat_map.draw, by_metric=True),
    "classes": AnalysisView("Classes", classes.draw),
    "codes": AnalysisView("Codes and classes", influence.draw),
    "pair": AnalysisView("Two models", two_models.draw),
    "cut": AnalysisView("Cut-off", curves.draw_cut_off),
    "calibration": AnalysisView("Calibration", curves.draw_calibration),
    "map": AnalysisView("Map of cases", case_map.draw),
    "compare": AnalysisView("Compare", slices.draw),
    "notes": AnalysisView("Tags and notes", tags.draw),
}
"""By the name that stands in the page's link."""


_NAME: Final = r"[\w-]{1,64}"
_CODE: Final = r"[A-Za-z0-9]{1,10}"
_LONGEST: Final = 90  # characters of the selection's name
_BINDINGS: Final[dict[str, url_state.Binding]] = {
    "part": url_state.Binding.choice("findings", VIEWS),
    "of": url_state.Binding.pattern(_NAME),
    "model": url_state.Binding.pattern(_NAME),
    "with": url_state.Binding.pattern(_NAME),
    "where": url_state.Binding("", analysis_cache.read_selection),
    cross_filter.PICK: url_state.Binding("", analysis_cache.read_selection),
    cross_filter.FROM: url_state.Binding.choice("", VIEWS),
    "metric": url_state.Binding.choice("jaccard", METRICS),
    "by": url_state.Binding.choice("history", dict.fromkeys((*FIELDS, LISTS))),
    "down": url_state.Binding.choice("insurance", dict.fromkeys(FIELDS)),
    "across": url_state.Binding.choice("age_band", dict.fromkeys(FIELDS)),
    "target": url_state.Binding.choice("error", TARGETS),
    "moved_by": url_state.Binding.choice("diagnosis", influence.KINDS),
    "fields": url_state.Binding.some((), TREE_FIELDS, "."),
    "depth": url_state.Binding.number(3, (1, 2, 3, 4)),
    "class": url_state.Binding.pattern(_CODE),
    "of_class": url_state.Binding.pattern(_CODE, curves.ALL),
    "point": url_state.Binding.pattern(r"[\w-]{1,64}:\d{1,2}"),
    "cut": url_state.Binding.within(0.0, 0.01, 0.99, digits=3),
    "first": url_state.Binding.pattern(_NAME, slices.CHOSEN),
    "second": url_state.Binding.pattern(_NAME, slices.REST),
    "kind": url_state.Binding.choice(findings.EVERY, findings.KINDS),
    "colour": url_state.Binding.choice(case_map.ERROR, dict.fromkeys((case_map.ERROR, *FIELDS))),
}


def draw() -> None:
    service = get_service()
    st.html(
        markup.title("Error analysis", "from stored scores; every count and point opens the cases behind it")
    )
    if not is_research():
        st.html(markup.note(wording.FOR_RESEARCH))
    try:
        cache = analysis_cache.get_analysis_cache(service)
        with st.spinner("Reading the stored scores…"):
            cases = len(cache.analysis.frame)
    except NotFoundError:
        scoring.show(service)
        return
    url_state.enter("errors", _BINDINGS)
    with st.container():  # a place of its own, so that the page keeps its place
        if service.student_name:
            st.html(markup.callout(wording.STORED_STUDENT.format(name=service.student_name), "student"))
        scoring.offer_again(service)
    if not cases or not cache.analysis.models:
        st.html(
            markup.empty(
                "No case is scored",
                "The stored scores hold no case. Make them again: python -m train scores.",
            )
        )
        return
    _controls(service, cache.analysis)
    context = _context(service, cache)
    _chosen_cases(context)
    name = str(st.session_state["part"])
    own = _own_context(context, name)
    titles = {key: view.title for key, view in VIEWS.items()}
    switch("View", titles, **url_state.mirror("part"))
    with st.container(key="part_list"):  # instead of the buttons on a telephone
        st.selectbox(
            "View", list(titles), format_func=titles.__getitem__, **url_state.mirror("part", list(titles))
        )
    url_state.publish("errors", url_state.written(_BINDINGS))
    if not own.within.any() and name != "notes":
        st.html(
            markup.empty(
                "No case is left", "No scored case fulfils all of this. Take a condition away above."
            )
        )
        return
    if own is not context:
        shown, selected = count(int(own.within.sum()), "case"), int(context.within.sum())
        st.html(
            markup.note(
                f"Selected in this view, which still shows all {shown}; every other one shows the {selected:,}."
            )
        )
    VIEWS[name].draw(own)


def _controls(service: Service, analysis: Analysis) -> None:
    cases = {analysis_cache.EVERYBODY: "All scored cases", **case_sets(service, analysis)}
    if st.session_state["of"] not in cases:
        st.session_state["of"] = "test" if "test" in cases else analysis_cache.EVERYBODY
    models = list(analysis.models)
    if st.session_state["model"] not in models:
        st.session_state["model"] = (
            models[-1] if len(models) == 1 else next(m for m in ("student", *models) if m in models)
        )
    others = [m for m in models if m != st.session_state["model"]]
    if st.session_state["with"] not in (*others, "none"):
        st.session_state["with"] = others[0] if others else "none"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="filters"):
        st.selectbox("Cases", list(cases), format_func=cases.__getitem__, width=220, **url_state.mirror("of"))
        st.selectbox("Model", models, format_func=model_name, width=190, **url_state.mirror("model"))
        st.selectbox(
            "Compared with",
            [*others, "none"],
            format_func=lambda m: "Nothing" if m == "none" else model_name(m),
            width=190,
            **url_state.mirror("with", [*others, "none"]),
        )
        if VIEWS[st.session_state["part"]].by_metric:
            st.selectbox(
                "Metric",
                list(METRICS),
                format_func=METRICS.__getitem__,
                width=190,
                **url_state.mirror("metric"),
            )


def _context(service: Service, cache: AnalysisCache) -> AnalysisContext:
    """What is looked at, from the page's state."""
    base = analysis_cache.base(cache.analysis, st.session_state["of"])
    find = analysis_cache.lookup(service)
    try:
        selection = base.but(*Selection.of(st.session_state["where"]).conditions, *cross_filter.conditions())
        within = cache.analysis.mask(selection, find)
    except LeaderError as error:
        st.html(markup.callout(str(error), "warn"))
        st.session_state["where"] = ""
        cross_filter.clear()
        selection, within = base, cache.analysis.mask(base, find)
    model, other = st.session_state["model"], st.session_state["with"]
    return AnalysisContext(
        service=service,
        cache=cache,
        selection=selection,
        within=within,
        model=model,
        other=other if other in cache.analysis.models and other != model else None,
        metric=st.session_state["metric"],
    )


def _chosen_cases(context: AnalysisContext) -> None:
    """How many cases, under which conditions, each of which can be taken away; and the report."""
    conditions = Selection.of(st.session_state["where"]).conditions
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="chosen_cases"):
        number = int(context.within.sum())
        people = len(set(context.analysis.frame.patient_ids[context.within].tolist()))
        st.html(markup.note(f"{count(number, 'case')} of {count(people, 'patient')}"), width="content")
        _show_selection(context)
        for condition in conditions:
            st.button(
                plain(context.describe(condition)),
                icon=":material/close:",
                icon_position="right",
                key=f"drop-{condition.text}",
                on_click=_drop,
                args=(condition.text,),
                help="Take this condition away",
            )
        st.space("stretch")
        if number:
            slices.save_button(context)
            navigation.link("patients", "Open in the worklist", {CASES: link_text(context.selection)})
        report_button(context)


def _drop(text: str) -> None:
    conditions = [c for c in Selection.of(st.session_state["where"]).conditions if c.text != text]
    st.session_state["where"] = Selection(tuple(conditions)).text


def _own_context(context: AnalysisContext, view: str) -> AnalysisContext:
    """What a view draws: all cases without its own choice, which it marks."""
    chosen = cross_filter.conditions()
    if not chosen or st.session_state.get(cross_filter.FROM) != view:
        return context
    where = Selection.of(st.session_state["where"]).conditions
    rest = Selection(tuple(c for c in context.selection.conditions if c not in chosen or c in where))
    within = context.analysis.mask(rest, analysis_cache.lookup(context.service))
    return replace(context, selection=rest, within=within, chosen=Selection(chosen))


def _show_selection(context: AnalysisContext) -> None:
    """The selection by its name, with what takes it away, and what makes it a condition of the page."""
    chosen = cross_filter.conditions()
    if not chosen:
        return
    try:
        text = ", ".join(map(context.describe, chosen))
    except LeaderError:
        text = "cases that are not there"
    st.button(
        f"Selected: {plain(shortened(text, _LONGEST))}",
        icon=":material/close:",
        icon_position="right",
        type="primary",
        key="pick-clear",
        on_click=cross_filter.clear,
        help="Clear the selection: every view shows all chosen cases again",
    )
    st.button(
        "Keep as a condition",
        icon=":material/filter_alt:",
        type="tertiary",
        key="pick-narrow",
        on_click=cross_filter.narrow,
        help="Makes the selection a condition of the page, so that a further choice may come on top of it",
    )
