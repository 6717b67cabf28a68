"""The error tree: what to explain, the tree, a chosen node's cases, and looking at these alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboard.error_analysis.context import AnalysisContext, chart
from dashboard.error_analysis.tables import AnalysisTable, TableCell, csv_row, number_cell, table_of
from dashboard.shared import markup, theme, url_state
from dashboard.shared.analysis import FIELDS, NUMBERS, TARGETS, model_name
from dashboard.shared.charts import UNFADED, color_mode, ink_on, shade, with_layout
from dashboard.shared.formatting import count, listing, percent, uncapitalized
from dashboard.shared.theme import Mode
from leader_core import LeaderError
from leader_core.error_analysis import TREE_FIELDS, Condition, Node, Selection, Tree, tightened

if TYPE_CHECKING:
    import plotly.graph_objects as go

_CAUTION: Final = (
    "The tree searches many splits for the largest difference: a node says where to look, and a high rate in a small "
    "one may be chance. Nodes hold at least 1 % of the cases and 20 of them; halves differ by more than three standard "
    "errors."
)
_STEP: Final = 270  # pixels a level
_ROW: Final = 72  # pixels a leaf
_LINE: Final = 30  # characters of a label's line


def draw(context: AnalysisContext) -> None:
    """Which error and how deep, the tree, its leaves."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox("Error to explain", list(TARGETS), format_func=TARGETS.__getitem__, width=380,
                     **url_state.mirror("target"))  # fmt: skip
        if st.session_state["target"] == "class":
            codes = list(context.analysis.codes)
            if st.session_state["class"] not in codes:
                st.session_state["class"] = codes[0]
            st.selectbox("Class", codes, format_func=context.titled, width=340,
                         **url_state.mirror("class"))  # fmt: skip
        st.segmented_control("Depth", [1, 2, 3, 4], required=True, **url_state.mirror("depth"))
    options = _fields(context)
    st.multiselect("Fields that it may split", options, format_func=_field_label, placeholder="All of them", width=640,
                   help="What was ordered and how well the model did are the outcome, and are never split.",
                   **url_state.mirror("fields"))  # fmt: skip
    target = st.session_state["target"]
    st.html(markup.panel_title(f"Where the {model_name(context.model).lower()} errs most", TARGETS[target]))
    try:
        chosen = tuple(f for f in options if f in st.session_state["fields"])
        tree = grow(
            context, target, st.session_state["class"], int(st.session_state["depth"]), chosen or options
        )
    except LeaderError as error:
        st.html(markup.empty("No tree", str(error)))
        return
    if len(tree.nodes) == 1:
        st.html(
            markup.empty(
                "No split tells these errors apart",
                "None of the fields chosen explains where this error is higher. Choose more cases or fields, another "
                "error, or another model.",
            )
        )
        return
    st.html(markup.callout(summary(context, tree, TARGETS[target])))
    _draw_chart(context, tree)
    leaves = sorted((node for node in tree.nodes if node.children is None), key=lambda node: -node.rate)
    st.html(table(context, leaves).html())
    csv_row("tree", lambda: table(context, tree.nodes))
    st.html(markup.note(_CAUTION))


def _fields(context: AnalysisContext) -> tuple[str, ...]:
    return tuple(f for f in TREE_FIELDS if f in NUMBERS or f in context.analysis.frame.columns)


def _field_label(field: str) -> str:
    if field == "chapter":
        return "Diagnosis chapters"
    return FIELDS.get(field) or NUMBERS[field].capitalize()


def summary(context: AnalysisContext, tree: Tree, error: str) -> str:
    """What the tree found, in a sentence or two: its worst leaf against all other cases, and its best."""
    root, worst = tree.nodes[0], tree.worst
    best = min((n for n in tree.nodes if n.children is None), key=lambda n: n.rate)
    rest = (root.rate * root.cases - worst.rate * worst.cases) / (root.cases - worst.cases)

    def where(node: Node) -> str:
        return f"{count(node.cases, 'visit')} with {listing(map(described, tightened(node.conditions)))}"

    def described(condition: Condition) -> str:
        if condition.kind in ("lt", "ge") and (name := condition.names[0]) != "age":
            return f"{'fewer than' if condition.kind == 'lt' else 'at least'} {condition.number:g} {NUMBERS[name]}"
        return uncapitalized(context.describe(condition))

    return (
        f"{error}: highest, {worst.rate:.2f} against {rest:.2f} in all other visits, in {where(worst)} "
        f"({percent(worst.share)} of all error in {percent(worst.coverage)} of the visits). "
        f"Lowest, {best.rate:.2f}, in {where(best)}."
    )


def grow(
    context: AnalysisContext, target: str, code: str, depth: int, fields: Sequence[str] = TREE_FIELDS
) -> Tree:
    """The tree, grown once for each question."""
    error = f"class:{code}" if target == "class" else target
    return context.with_progress(
        ("tree", context.model, error, depth, tuple(fields)),
        "Looking for cases with more error…",
        lambda progress: context.analysis.tree(
            context.model, context.within, target=error, depth=depth, fields=fields, progress=progress
        ),
    )


def _draw_chart(context: AnalysisContext, tree: Tree) -> None:
    state = (st.session_state[name] for name in ("target", "class", "depth", "fields"))
    key = f"tree-{context.model}-{'-'.join(map(str, state))}-{context.selection.text}"
    worst = tree.worst
    chart(
        context,
        figure(tree, context.describe, color_mode()),
        key,
        f"Error tree of {count(len(tree.nodes), 'node')}; the worst leaf has a mean error of {worst.rate:.2f} "
        f"over {count(worst.cases, 'case')}",
        wide=True,
    )


def table(context: AnalysisContext, nodes: Sequence[Node]) -> AnalysisTable:
    """One row a node."""

    def described(node: Node) -> list[str]:
        return [context.describe(condition) for condition in tightened(node.conditions)] or ["all cases"]

    return table_of(
        nodes,
        [
            ("", "node", lambda node: node.index),
            ("", "depth", lambda node: node.depth),
            ("Leaf, worst first", "conditions",
             lambda node: TableCell("; ".join(described(node)), ", ".join(described(node)))),
            ("Mean error", "mean error", lambda node: number_cell(node.rate)),
            ("Cases", "cases",
             lambda node: context.opens(node.cases, ", ".join(described(node)), *tightened(node.conditions))),
            ("Of all cases", "share of cases", lambda node: TableCell(node.coverage, percent(node.coverage))),
            ("Of all error", "share of error", lambda node: TableCell(node.share, percent(node.share))),
            ("", "leaf", lambda node: node.children is None),
        ],
    )  # fmt: skip


def positions(tree: Tree) -> dict[int, tuple[int, float]]:
    """Where each node stands: its level, and its height among the leaves (worst child first)."""
    heights_of: dict[int, tuple[int, float]] = {}
    leaves = 0

    def put(node: Node) -> float:
        nonlocal leaves
        if node.children is None:
            height = float(leaves)
            leaves += 1
        else:
            children = sorted((tree.nodes[c] for c in node.children), key=lambda n: -n.rate)
            heights = [put(child) for child in children]
            height = sum(heights) / len(heights)
        heights_of[node.index] = node.depth, height
        return height

    put(tree.nodes[0])
    return heights_of


def figure(tree: Tree, describe: Callable[[Condition], str], mode: Mode) -> go.Figure:
    """The tree from left to right.

    A node's size says how many cases it holds, its shade and number how high their error is.
    """
    import plotly.graph_objects as go

    at = positions(tree)
    chart = go.Figure()
    _add_lines(chart, tree, at, mode)
    rates = [n.rate for n in tree.nodes]
    low, high = min(rates), max(rates)
    colours = [shade(n.rate, low, high, mode) for n in tree.nodes]
    chart.add_scatter(
        x=[at[n.index][0] for n in tree.nodes],
        y=[at[n.index][1] for n in tree.nodes],
        customdata=[[Selection(tightened(n.conditions)).text] for n in tree.nodes],
        mode="markers+text",
        text=[f"{n.rate:.2f}" for n in tree.nodes],
        textfont={"size": 12, "color": [ink_on(c) for c in colours]},
        hovertext=[_hover(n, describe) for n in tree.nodes],
        hoverinfo="text",
        marker={
            "size": [34 + 26 * n.coverage**0.5 for n in tree.nodes],
            "color": colours,
            "opacity": 1,
            "line": {"width": 1, "color": theme.COLOURS["line-strong"].of(mode)},
        },
        **UNFADED,
    )
    deepest = max(depth for depth, _ in at.values())
    leaves = sum(n.children is None for n in tree.nodes)
    for node in tree.nodes:
        _add_label(chart, node, at[node.index], describe, mode)
    with_layout(
        chart, mode, max(180, 40 + _ROW * leaves), width=140 + _STEP * (deepest + 1), showlegend=False
    )
    chart.update_xaxes(visible=False, range=[-0.2, deepest + 0.95])
    chart.update_yaxes(visible=False, range=[leaves - 0.45, -0.55])
    return chart


def _add_lines(chart: go.Figure, tree: Tree, at: dict[int, tuple[int, float]], mode: Mode) -> None:
    for node in tree.nodes:
        for child in node.children or ():
            (x0, y0), (x1, y1) = at[node.index], at[child]
            width = 1.5 + 6 * tree.nodes[child].share
            chart.add_scatter(
                x=[x0, (x0 + x1) / 2, (x0 + x1) / 2, x1],
                y=[y0, y0, y1, y1],
                mode="lines",
                line={"color": theme.COLOURS["line-strong"].of(mode), "width": width, "shape": "linear"},
                hoverinfo="skip",
            )


def _add_label(
    chart: go.Figure, node: Node, at: tuple[int, float], describe: Callable[[Condition], str], mode: Mode
) -> None:
    text = "all cases" if not node.conditions else describe(node.conditions[-1])
    lines = [escape(line, quote=False) for line in textwrap.wrap(text, _LINE, max_lines=2, placeholder="…")]
    right = {"xshift": 34, "yshift": 0, "xanchor": "left", "yanchor": "middle", "align": "left"}
    above = {"xshift": 0, "yshift": 33, "xanchor": "center", "yanchor": "bottom", "align": "center"}
    chart.add_annotation(
        x=at[0],
        y=at[1],
        showarrow=False,
        text="<br>".join([*lines, f"<span style='font-size:11px'>{node.cases:,} cases</span>"]),
        font={"size": 12, "color": theme.COLOURS["ink"].of(mode)},
        bgcolor=theme.COLOURS["paper"].of(mode),
        borderpad=1,
        **(right if node.children is None else above),
    )


def _hover(node: Node, describe: Callable[[Condition], str]) -> str:
    path = [escape(describe(c), quote=False) for c in node.conditions] or ["all cases"]
    return (
        "<br>".join(path)
        + f"<br><b>mean error {node.rate:.3f}</b><br>{node.cases:,} cases, {percent(node.coverage)} of all"
        + f"<br>{percent(node.share)} of all error"
    )
