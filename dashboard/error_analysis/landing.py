"""The first view: all models over the chosen cases, then what stands out, the heaviest finding first, each with its cases."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.error_analysis import pick
from dashboard.error_analysis.context import AnalysisContext, link_text
from dashboard.error_analysis.finding_text import HEADINGS, FindingBar, bars, numbers, sentence, unclear
from dashboard.error_analysis.groups import overall_table
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, table_of
from dashboard.server.analysis_cache import lookup
from dashboard.shared import markup, navigation, url_state
from dashboard.shared.analysis_selection import CASES
from dashboard.shared.analysis_text import model_name
from dashboard.shared.formatting import count
from dashboard.shared.templates import render
from leader_core.error_analysis import FEWEST, ErrorFinding, Findings, find

EVERY: Final = "all"
KINDS: Final = {
    EVERY: ("All", ()),
    "never": ("Never suggested", ("never",)),
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
    result = findings(context)
    model = model_name(context.model)
    st.html(
        markup.panel_title(
            f"What stands out about the {model.lower()}",
            f"{count(len(result.findings), 'finding')}, the heaviest first",
        )
    )
    present = {
        name for name, (_, kinds) in KINDS.items() if any(f.kind in kinds for f in result.findings)
    } | {EVERY}
    if st.session_state["kind"] not in present:
        st.session_state["kind"] = EVERY
    shown = [name for name in KINDS if name in present]
    if len(shown) > 2:
        st.segmented_control(
            "Kind of finding", shown, required=True, format_func=lambda name: KINDS[name][0],
            label_visibility="collapsed", **url_state.mirror("kind", shown),
        )  # fmt: skip
    kinds = KINDS[st.session_state["kind"]][1]
    chosen = [f for f in result.findings if not kinds or f.kind in kinds]
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
        st.button(f"Show all {len(chosen)} findings", key="findings-more", on_click=_show_more)
    if rest := unclear(result, context.other):
        st.html(markup.note(rest))
    csv_row("findings", lambda: table(context, result.findings), method(result))


def findings(context: AnalysisContext) -> Findings:
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
        "(Benjamini and Hochberg), and those below 0.05 are shown. Intervals are 95 %, not corrected. Ordered by how many "
        "cases are wrong beyond what is usual, by the cautious end of the interval. A finding says where to look, not why."
    )


def _show_more() -> None:
    st.session_state[_MORE] = True


def _draw_finding(context: AnalysisContext, finding: ErrorFinding) -> None:
    key = "-".join((finding.kind, *finding.subject))
    rows = bars(finding, context.other)
    with st.container(border=True, key=f"finding-{_plain(key)}"):
        st.html(
            render(
                "error_analysis/finding.html",
                heading=_heading(finding, context.other),
                sentence=sentence(finding, context.title, context.other),
                numbers=numbers(finding, context.other),
                bars=rows,
                alt=_alt(rows),
            )
        )
        selection = context.selection.but(*finding.conditions)
        number = int(context.analysis.mask(selection, lookup(context.service)).sum())
        if not number:
            return
        here = context.chosen.conditions == pick.ordered(finding.conditions)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Selected" if here else f"Select its {count(number, 'case')}",
                icon=":material/check:" if here else ":material/filter_alt:",
                key=f"pick-{_plain(key)}",
                disabled=here,
                on_click=pick.choose,
                args=(finding.conditions,),
                help="Every other view then shows these cases alone",
            )
            navigation.link(
                "patients", f"Open {count(number, 'case')} in the worklist", {CASES: link_text(selection)}
            )


def _heading(finding: ErrorFinding, other: str | None) -> str:
    if HEADINGS[finding.kind] != "Lost":
        return HEADINGS[finding.kind]
    if (finding.model, other) == ("student", "teacher"):
        return "Lost in distillation"
    return f"Worse than the {model_name(other or '').lower()}"


def _alt(rows: list[FindingBar]) -> str:
    return "; ".join(f"{row.label} {row.text}" for row in rows)


def _plain(text: str) -> str:
    """Text as a part of a key, which becomes a class name."""
    return "".join(c if c.isalnum() else "-" for c in text.lower())


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
