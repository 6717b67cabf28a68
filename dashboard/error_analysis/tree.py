"""The error tree: what to explain, the tree, a chosen node's cases, and looking at these alone."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from dashboard.error_analysis.parts import TableCell, View, chart, csv, mode, opens, table
from dashboard.report.csv_tables import Cell
from dashboard.shared import analysis_text as say
from dashboard.shared import markup, url_state
from dashboard.shared.formatting import count
from leader_core import LeaderError
from leader_core.error_analysis import Node, Selection, Tree, tightened

_CAUTION: Final = (
    "The tree searches many splits for the largest difference: a node says where to look, and a high rate in a small "
    "one may be chance. Nodes hold at least 1 % of the cases and 20 of them; halves differ by more than three standard "
    "errors."
)


def show(view: View) -> None:
    """The view."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox("Error to explain", list(say.TARGETS), format_func=say.TARGETS.__getitem__, width=380,
                     **url_state.mirror("target"))  # fmt: skip
        if st.session_state["target"] == "class":
            codes = list(view.desk.analysis.codes)
            if st.session_state["class"] not in codes:
                st.session_state["class"] = codes[0]
            st.selectbox("Class", codes, format_func=lambda c: f"{view.title(c)} ({c})", width=340,
                         **url_state.mirror("class"))  # fmt: skip
        st.segmented_control("Depth", [1, 2, 3, 4], required=True, **url_state.mirror("depth"))
    st.html(
        markup.panel_title(
            f"Where the {say.model(view.model).lower()} errs most", say.TARGETS[st.session_state["target"]]
        )
    )
    try:
        found = grown(
            view, st.session_state["target"], st.session_state["class"], int(st.session_state["depth"])
        )
    except LeaderError as error:
        st.html(markup.empty("No tree", str(error)))
        return
    if len(found.nodes) == 1:
        st.html(
            markup.empty(
                "No split tells these errors apart",
                "Nothing that is known of the cases explains where this error is higher. Choose more cases, another "
                "error, or another model.",
            )
        )
        return
    _draw(view, found)
    _table(view, found)
    st.html(markup.note(_CAUTION))


def grown(view: View, target: str, code: str, depth: int) -> Tree:
    """The tree, grown once for each question, with its progress shown."""
    wanted = f"class:{code}" if target == "class" else target

    def ask() -> Tree:
        bar = st.progress(0.0, "Looking for cases with more error…")
        try:
            return view.desk.analysis.tree(
                view.model, view.within, target=wanted, depth=depth, progress=lambda done: bar.progress(done)
            )
        finally:
            bar.empty()

    return view.desk.kept(("tree", view.key, view.model, wanted, depth), ask)


def _draw(view: View, found: Tree) -> None:
    from dashboard.error_analysis.tree_chart import figure

    drawn = figure(found, view.told, mode=mode())
    key = f"tree-{view.model}-{st.session_state['target']}-{st.session_state['class']}-{st.session_state['depth']}-{view.text}"
    worst = found.worst
    chart(
        view,
        drawn,
        key,
        f"Error tree of {count(len(found.nodes), 'node')}; the worst leaf has a mean error of {worst.rate:.2f} "
        f"over {count(worst.cases, 'case')}",
        conditions=lambda data: _chosen(view, found, data),
        wide=True,
    )
    points: Any = (st.session_state.get(key) or {}).get("selection", {}).get("points", [])
    if points:
        node = _node(found, points[0].get("customdata"))
        if node is not None and node.conditions:
            st.button(
                "Look only at these cases",
                icon=":material/filter_alt:",
                type="tertiary",
                on_click=_narrow,
                args=(view, node),
                help="Every view of this page is narrowed to this node, until you take its conditions away above.",
            )


def _narrow(view: View, node: Node) -> None:
    where = Selection.of(st.session_state["where"]).but(*node.conditions)
    st.session_state["where"] = Selection(tightened(where.conditions)).text


def _node(found: Tree, data: Any) -> Node | None:
    place = data[0] if isinstance(data, list) and data else data
    return found.nodes[place] if isinstance(place, int) and 0 <= place < len(found.nodes) else None


def _chosen(view: View, found: Tree, data: Any) -> tuple[str, Any] | None:
    node = _node(found, data)
    if node is None:
        return None
    told = ", ".join(map(view.told, tightened(node.conditions))) or "All cases"
    return f"{told}: mean error {node.rate:.2f}", tightened(node.conditions)


def _table(view: View, found: Tree) -> None:
    leaves = sorted((n for n in found.nodes if n.children is None), key=lambda n: -n.rate)
    rows: list[list[TableCell]] = []
    for node in leaves:
        told = ", ".join(map(view.told, tightened(node.conditions)))
        rows.append(
            [told, f"{node.rate:.2f}", opens(view, node.cases, told, *tightened(node.conditions)),
             f"{node.coverage:.0%}", f"{node.share:.0%}"]
        )  # fmt: skip
    st.html(
        table(
            ["Leaf, worst first", "Mean error", "Cases", "Of all cases", "Of all error"],
            rows,
            numeric=frozenset((1, 2, 3, 4)),
        )
    )
    with st.container(horizontal=True):
        st.space("stretch")
        csv("tree", *csv_table(view, found))


def csv_table(view: View, found: Tree) -> tuple[list[str], list[list[Cell]]]:
    """Every node."""
    headings = [
        "node",
        "depth",
        "conditions",
        "mean error",
        "cases",
        "share of cases",
        "share of error",
        "leaf",
    ]
    rows: list[list[Cell]] = [
        [n.place, n.depth, "; ".join(map(view.told, tightened(n.conditions))) or "all cases", n.rate, n.cases, n.coverage,
         n.share, n.children is None]
        for n in found.nodes
    ]  # fmt: skip
    return headings, rows
