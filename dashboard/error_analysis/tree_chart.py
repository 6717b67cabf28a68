"""The error tree from left to right: a node's size says how many cases, its shade and figure how high the error.

Refuses to know about Streamlit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dashboard.shared import theme
from dashboard.shared.chart_style import UNMOVED, dress, ink_on, shade
from dashboard.shared.theme import Mode
from leader_core.error_analysis import Condition, Node, Tree

if TYPE_CHECKING:
    import plotly.graph_objects as go

_STEP: Final = 270  # pixels a level
_ROW: Final = 66  # pixels a leaf
_LINE: Final = 30  # characters of a label's line


def places(tree: Tree) -> dict[int, tuple[int, float]]:
    """Where each node stands: its level, and its height among the leaves (worst child first)."""
    found: dict[int, tuple[int, float]] = {}
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
        found[node.place] = node.depth, height
        return height

    put(tree.nodes[0])
    return found


def figure(
    tree: Tree, told: Callable[[Condition], str], chosen: int | None = None, mode: Mode = "light"
) -> go.Figure:
    """The tree; each node carries its place as customdata, `chosen` is framed."""
    import plotly.graph_objects as go

    at = places(tree)
    drawn = go.Figure()
    _lines(drawn, tree, at, mode)
    rates = [n.rate for n in tree.nodes]
    low, high = min(rates), max(rates)
    colours = [shade(n.rate, low, high, mode) for n in tree.nodes]
    strong, ink = theme.COLOURS["line-strong"].of(mode), theme.COLOURS["ink"].of(mode)
    drawn.add_scatter(
        x=[at[n.place][0] for n in tree.nodes],
        y=[at[n.place][1] for n in tree.nodes],
        customdata=[[n.place] for n in tree.nodes],
        mode="markers+text",
        text=[f"{n.rate:.2f}" for n in tree.nodes],
        textfont={"size": 12, "color": [ink_on(c) for c in colours]},
        hovertext=[_hover(n, told) for n in tree.nodes],
        hoverinfo="text",
        marker={
            "size": [34 + 26 * n.coverage**0.5 for n in tree.nodes],
            "color": colours,
            "opacity": 1,
            "line": {
                "width": [3 if n.place == chosen else 1 for n in tree.nodes],
                "color": [ink if n.place == chosen else strong for n in tree.nodes],
            },
        },
        **UNMOVED,
    )
    deepest = max(depth for depth, _ in at.values())
    leaves = sum(n.children is None for n in tree.nodes)
    for node in tree.nodes:
        _label(drawn, node, at[node.place], told, mode)
    dress(drawn, mode, max(180, 40 + _ROW * leaves), width=140 + _STEP * (deepest + 1), showlegend=False)
    drawn.update_xaxes(visible=False, range=[-0.2, deepest + 0.95])
    drawn.update_yaxes(visible=False, range=[leaves - 0.45, -0.55])
    return drawn


def _lines(drawn: go.Figure, tree: Tree, at: dict[int, tuple[int, float]], mode: Mode) -> None:
    for node in tree.nodes:
        for child in node.children or ():
            (x0, y0), (x1, y1) = at[node.place], at[child]
            width = 1.5 + 6 * tree.nodes[child].share
            drawn.add_scatter(
                x=[x0, (x0 + x1) / 2, (x0 + x1) / 2, x1],
                y=[y0, y0, y1, y1],
                mode="lines",
                line={"color": theme.COLOURS["line-strong"].of(mode), "width": width, "shape": "linear"},
                hoverinfo="skip",
            )


def _label(
    drawn: go.Figure, node: Node, at: tuple[int, float], told: Callable[[Condition], str], mode: Mode
) -> None:
    text = "all cases" if not node.conditions else told(node.conditions[-1])
    lines = wrap(text, _LINE)[:2]
    drawn.add_annotation(
        x=at[0],
        y=at[1],
        xshift=34 if node.children is None else 0,
        yshift=0 if node.children is None else 33,
        xanchor="left" if node.children is None else "center",
        yanchor="middle" if node.children is None else "bottom",
        align="left" if node.children is None else "center",
        showarrow=False,
        text="<br>".join(_plain(line) for line in lines)
        + f"<br><span style='font-size:11px'>{node.cases:,} cases</span>",
        font={"size": 12, "color": theme.COLOURS["ink"].of(mode)},
        bgcolor=theme.COLOURS["paper"].of(mode),
        borderpad=1,
    )


def wrap(text: str, width: int) -> list[str]:
    """
    >>> wrap("a diagnosis in Infectious and parasitic diseases", 24)
    ['a diagnosis in', 'Infectious and parasitic', 'diseases']
    """
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _hover(node: Node, told: Callable[[Condition], str]) -> str:
    path: Sequence[str] = [_plain(told(c)) for c in node.conditions] or ["all cases"]
    return (
        "<br>".join(path)
        + f"<br><b>mean error {node.rate:.3f}</b><br>{node.cases:,} cases, {node.coverage:.0%} of all"
        + f"<br>{node.share:.0%} of all error"
    )
