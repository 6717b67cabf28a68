"""The first view: all models over the chosen cases, then what stands out, kinds taking turns, each finding with its cases.

A finding is one sentence that says what is wrong, one line with the numbers behind it, and the bars of its chart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

import streamlit as st

from dashboard.error_analysis import cross_filter
from dashboard.error_analysis.context import AnalysisContext, link_text
from dashboard.error_analysis.groups import overall_table
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, table_of
from dashboard.server.analysis_cache import lookup
from dashboard.shared import markup, navigation, url_state
from dashboard.shared.analysis import CASES, FIELDS, field_value, format_gap, model_name
from dashboard.shared.formatting import count, listing, percent, uncapitalized
from dashboard.shared.templates import render
from dashboard.shared.widgets import switch
from leader_core.error_analysis import FEWEST, ErrorFinding, FindingKind, Findings, MetricEstimate, find

EVERY: Final = "all"
KINDS: Final[Mapping[str, tuple[str, tuple[FindingKind, ...]]]] = {
    EVERY: ("All", get_args(FindingKind)),
    "never": ("Hardly ever suggested", ("never",)),
    "groups": ("Worse groups", ("group",)),
    "lost": ("Lost against the other model", ("lost", "extra", "lost-group")),
    "calibration": ("Calibration", ("calibration",)),
    "cut": ("Cut prompts", ("cut",)),
}
"""Which findings are shown: the name in the link -> what it is called, and the kinds."""
_FIRST: Final = 8
"""Findings that are shown before somebody asks for more."""
_MORE: Final = "_more_findings"


def draw(context: AnalysisContext) -> None:
    """Every model's metrics, which kinds of findings, the findings."""
    st.html(markup.panel_title("All models over the chosen cases", "95 % intervals over resampled patients"))
    with st.spinner("Resampling the patients…"):
        overall = overall_table(context).html()
    st.html(overall)
    result = of_cases(context)
    model = model_name(context.model)
    st.html(
        markup.panel_title(
            f"What stands out about the {model.lower()}",
            f"{count(len(result.findings), 'finding')}; kinds take turns, each with most wrong cases first",
        )
    )
    present = {
        name: title for name, (title, kinds) in KINDS.items() if any(f.kind in kinds for f in result.findings)
    }
    if st.session_state["kind"] not in present:
        st.session_state["kind"] = EVERY
    if len(present) > 2:
        switch("Kind of finding", present, **url_state.mirror("kind", list(present)))
    chosen = [f for f in result.findings if f.kind in KINDS[st.session_state["kind"]][1]]
    if not chosen:
        st.html(
            markup.empty(
                "Nothing stands out",
                "No class is missed throughout, and no difference is clearer than chance over these cases. "
                "With more cases, smaller differences would show.",
            )
        )
    most = len(chosen) if st.session_state.get(_MORE) else _FIRST
    for finding in chosen[:most]:
        _draw_finding(context, finding)
    if len(chosen) > most:
        st.button(
            f"Show all {len(chosen)} findings",
            key="findings-more",
            on_click=st.session_state.update,
            args=({_MORE: True},),
        )
    if rest := unclear(result, context.other):
        st.html(markup.note(rest))
    csv_row("findings", lambda: table(context, result.findings), method(result))


def of_cases(context: AnalysisContext) -> Findings:
    """What stands out over these cases, computed once."""
    return context.with_progress(
        ("findings", context.model, context.other),
        "Looking for what stands out…",
        lambda progress: find(context.analysis, context.model, context.other, context.within, progress),
    )


def method(result: Findings) -> str:
    """How findings are found, in a sentence or two."""
    return (
        f"{count(result.tests, 'comparison')}, each on at least {FEWEST} cases; their p are corrected together "
        "(Benjamini and Hochberg), and those below 0.05 are shown. Intervals are 95 %, not corrected. The kinds take turns; "
        "within a kind, and of each turn, first comes what has most cases wrong beyond the usual, by the cautious end of "
        "the interval. A finding says where to look, not why."
    )


def _draw_finding(context: AnalysisContext, finding: ErrorFinding) -> None:
    key = re.sub(r"\W", "-", "-".join((finding.kind, *finding.subject)).lower())  # becomes a class name
    rows = bars(finding, context.other)
    with st.container(border=True, key=f"finding-{key}"):
        st.html(
            render(
                "error_analysis/finding.html",
                heading=_heading(finding, context.other),
                sentence=sentence(finding, context.title, context.other),
                numbers=numbers(finding, context.other),
                bars=rows,
                alt="; ".join(f"{row.label} {row.text}" for row in rows),
            )
        )
        selection = context.selection.but(*finding.conditions)
        number = int(context.analysis.mask(selection, lookup(context.service)).sum())
        if not number:
            return
        here = context.chosen.conditions == cross_filter.ordered(finding.conditions)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Selected" if here else f"Select its {count(number, 'case')}",
                icon=":material/check:" if here else ":material/filter_alt:",
                key=f"pick-{key}",
                disabled=here,
                on_click=cross_filter.choose,
                args=(finding.conditions,),
                help="Every other view then shows these cases alone",
            )
            navigation.link(
                "patients", f"Open {count(number, 'case')} in the worklist", {CASES: link_text(selection)}
            )


def _heading(finding: ErrorFinding, other: str | None) -> str:
    if finding.kind not in KINDS["lost"][1]:
        return next(
            title for name, (title, kinds) in KINDS.items() if name != EVERY and finding.kind in kinds
        )
    if (finding.model, other) == ("student", "teacher"):
        return "Lost in distillation"
    return f"Worse than the {model_name(other or '').lower()}"


def table(context: AnalysisContext, chosen: tuple[ErrorFinding, ...]) -> AnalysisTable:
    """One row per finding."""
    return table_of(
        chosen,
        [
            ("", "kind", lambda f: f.kind),
            ("", "model", lambda f: f.model),
            ("", "subject", lambda f: " ".join(f.subject)),
            ("Finding", "finding", lambda f: sentence(f, context.title, context.other)),
            ("Numbers", "", lambda f: numbers(f, context.other)),
            ("Cases", "cases", lambda f: f.cases),
            ("", "of", lambda f: f.of),
            ("", "value", lambda f: f.value.value),
            ("", "value low", lambda f: f.value.low),
            ("", "value high", lambda f: f.value.high),
            ("", "against", lambda f: f.against),
            ("", "gap", lambda f: f.gap.value if f.gap else None),
            ("", "gap low", lambda f: f.gap.low if f.gap else None),
            ("", "gap high", lambda f: f.gap.high if f.gap else None),
            ("", "p corrected", lambda f: f.p),
            ("At least", "cases wrong at least", lambda f: TableCell(f.weight, f"{f.weight:.0f}")),
        ],
    )


# In words


@dataclass(frozen=True, slots=True)
class FindingBar:
    """One row of a finding's chart, 0 to 1: a value, with its interval where it has one."""

    label: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None
    strong: bool = True  # what the finding is about; the other rows are what it is compared with


def sentence(finding: ErrorFinding, title: Callable[[str], str], other: str | None) -> str:
    """What is wrong. `title` gives a class in plain words, `other` is the model it is compared with."""
    model, second = _the(finding.model), _the(other) if other else "the other model"
    match finding.kind:
        case "never":
            hits = finding.of - finding.cases
            hits_in = f"only {hits:,}" if hits else "none"
            return f"{title(finding.subject[0])}: suggested in {hits_in} of the {count(finding.of, 'case')} with an order"
        case "group":
            return f"{_cap(model)} does worse on {_group(finding)}"
        case "lost":
            return f"{title(finding.subject[0])}: {model} misses orders that {second} suggests, in {count(finding.cases, 'case')}"
        case "extra":
            return (
                f"{title(finding.subject[0])}: {model} suggests them without an order where {second} does not, in "
                f"{count(finding.cases, 'case')}"
            )
        case "lost-group":
            return f"{_cap(model)} stays behind {second} on {_group(finding)}"
        case "calibration":
            more = "more" if finding.gap is not None and finding.gap.value > 0 else "less"
            return f"{title(finding.subject[0])}: {model} expects them {more} often than they are ordered"
        case "cut":
            return (
                f"{_cap(model)} does worse on the {count(finding.cases, 'case')} whose prompt was cut to fit"
            )


def numbers(finding: ErrorFinding, other: str | None) -> str:
    """The numbers behind the sentence."""
    p = _p(finding.p)
    match finding.kind:
        case "never":
            also = ""
            if other and finding.other == finding.other:
                also = f" {model_name(other)}: {percent(finding.other)}."
            return f"{percent(finding.value.value)} of orders (95 % interval up to {percent(finding.value.high)}).{also}"
        case "group" | "lost-group":
            against = "all other cases" if finding.kind == "group" else _the(other) if other else ""
            return f"Mean Jaccard {format_gap('jaccard', finding.gap).rstrip(' *')} against {against}; {p}"
        case "lost" | "extra":
            worse, better = round(finding.value.value * finding.of), round(finding.against * finding.of)
            return (
                f"Wrong about them where {_the(other or '')} is right in {worse:,} of {finding.of:,} cases, missed orders "
                f"and extra suggestions together; the other way round in {better:,}; {p}"
            )
        case "calibration":
            return (
                f"Mean probability minus share ordered {format_gap('jaccard', finding.gap).rstrip(' *')}; {p}"
            )
        case "cut":
            also = ""
            if finding.other == finding.other:
                also = f" The other model, on the same cases: {finding.other:+.2f}.".replace("-", "−")
            return f"Mean Jaccard {format_gap('jaccard', finding.gap).rstrip(' *')} against prompts read whole; {p}.{also}"


def unclear(result: Findings, other: str | None) -> str:
    """What was looked for and not found, in a sentence; empty where everything gave a finding."""
    parts = []
    kinds = {f.kind for f in result.findings}
    for words, names in (
        ("groups that do worse", {"group"}),
        (f"classes and groups lost against {_the(other or '')}", {"lost", "extra", "lost-group"}),
        ("classes off in calibration", {"calibration"}),
    ):
        looked = sum(f.kind in names for f in result.unclear)
        if looked and not kinds & names:
            parts.append(f"{words} ({looked} looked at)")
    for finding in result.unclear:
        if finding.kind == "cut":
            gap = format_gap("jaccard", finding.gap).rstrip(" *")
            parts.append(
                f"prompts cut to fit ({count(finding.cases, 'case')}; Jaccard of {_the(finding.model)} {gap} "
                "against prompts read whole)"
            )
    return f"Looked for, and not clearly worse: {listing(parts)}." if parts else ""


def bars(finding: ErrorFinding, other: str | None) -> list[FindingBar]:
    """The rows of its chart."""
    own = model_name(finding.model)
    match finding.kind:
        case "never":
            rows = [_bar(own, finding.value, percent(finding.value.value))]
            if other and finding.other == finding.other:
                rows.append(
                    FindingBar(model_name(other), finding.other, percent(finding.other), strong=False)
                )
            return rows
        case "lost" | "extra":
            back = FindingBar(
                f"{model_name(other or '')} alone wrong",
                finding.against,
                percent(finding.against),
                strong=False,
            )
            return [_bar(f"{own} alone wrong", finding.value, percent(finding.value.value)), back]
        case "calibration":
            ordered = FindingBar("Ordered", finding.against, percent(finding.against), strong=False)
            return [_bar(f"{own} expects", finding.value, percent(finding.value.value)), ordered]
        case "group" | "cut" | "lost-group":
            names = {"group": ("These cases", "All others"), "cut": ("Cut", "Read whole")}
            mine, theirs = names.get(finding.kind, (own, model_name(other or "other")))
            return [
                _bar(mine, finding.value, f"{finding.value.value:.2f}"),
                FindingBar(theirs, finding.against, f"{finding.against:.2f}", strong=False),
            ]


def _bar(label: str, estimate: MetricEstimate, text: str) -> FindingBar:
    low, high = max(0.0, estimate.low), min(1.0, estimate.high)
    return FindingBar(label, estimate.value, text, low, high)


def _group(finding: ErrorFinding) -> str:
    field, value = finding.subject
    label = "" if field in ("history", "truncated") else f"{uncapitalized(FIELDS.get(field, field))} "
    return f"{count(finding.cases, 'case')}: {label}{field_value(field, value)}"


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.01 else f"p = {p:.2f}"


def _the(model: str) -> str:
    return f"the {model_name(model).lower()}"


def _cap(text: str) -> str:
    return text[0].upper() + text[1:]
