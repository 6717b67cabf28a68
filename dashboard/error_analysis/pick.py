"""THE selection: what was chosen in one view of the error analysis, and narrows every other one until it is cleared.

The view that it was chosen in draws all cases still, so that another choice can be made there. It stands in the link.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboard.server.analysis_cache import lookup
from dashboard.shared.formatting import plain
from leader_core import LeaderError
from leader_core.error_analysis import Condition, Selection, tightened

if TYPE_CHECKING:
    from dashboard.error_analysis.context import AnalysisContext

PICK: Final = "pick"
FROM: Final = "from"
_CLEARED: Final = "_pick_cleared"  # how often: a chart then stands anew, without its own mark
_LONGEST: Final = 90  # characters of the selection's name


def conditions() -> tuple[Condition, ...]:
    """What is chosen."""
    return Selection.of(st.session_state.get(PICK) or "").conditions


def choose(chosen: Iterable[Condition], view: str = "") -> None:
    """Select cases in the view that is open (or another, by name); nothing clears a choice made there.

    Call from a widget's callback.
    """
    own = ordered(chosen)
    view = view or str(st.session_state["part"])
    if own:
        st.session_state[PICK], st.session_state[FROM] = Selection(own).text, view
    elif st.session_state.get(FROM) == view:
        clear()


def ordered(chosen: Iterable[Condition]) -> tuple[Condition, ...]:
    """Conditions as they stand in the link."""
    return Selection.of(Selection(tightened(chosen)).text).conditions


def clear() -> None:
    """Select nothing."""
    st.session_state[PICK] = st.session_state[FROM] = ""
    st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1


def narrow() -> None:
    """Add the selection to the conditions of the page, so that another choice may come on top."""
    where = Selection.of(st.session_state["where"]).but(*conditions())
    st.session_state["where"] = Selection(tightened(where.conditions)).text
    clear()


def chart_key(key: str) -> str:
    """A chart's key; another one after the selection was cleared."""
    return f"{key}-{st.session_state.get(_CLEARED, 0)}"


def own_context(context: AnalysisContext, view: str) -> AnalysisContext:
    """What a view draws: all cases without its own choice, which it marks."""
    chosen = conditions()
    if not chosen or st.session_state.get(FROM) != view:
        return context
    where = Selection.of(st.session_state["where"]).conditions
    rest = Selection(tuple(c for c in context.selection.conditions if c not in chosen or c in where))
    within = context.analysis.mask(rest, lookup(context.service))
    return replace(context, selection=rest, within=within, chosen=Selection(chosen))


def show(context: AnalysisContext) -> None:
    """The selection by its name, with what takes it away, and what makes it a condition of the page."""
    chosen = conditions()
    if not chosen:
        return
    try:
        text = ", ".join(map(context.describe, chosen))
    except LeaderError:
        text = "cases that are not there"
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    st.button(
        f"Selected: {plain(short)}",
        icon=":material/close:",
        icon_position="right",
        type="primary",
        key="pick-clear",
        on_click=clear,
        help="Clear the selection: every view shows all chosen cases again",
    )
    st.button(
        "Keep as a condition",
        icon=":material/filter_alt:",
        type="tertiary",
        key="pick-narrow",
        on_click=narrow,
        help="Makes the selection a condition of the page, so that a further choice may come on top of it",
    )
