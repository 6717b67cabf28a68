"""The cross-filter: what was chosen in one view of the error analysis narrows every other one until it is cleared.

The view that it was chosen in draws all cases still, so that another choice can be made there. It stands in the link.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import streamlit as st

from leader_core.error_analysis import Condition, Selection, tightened

PICK: Final = "pick"
FROM: Final = "from"
_CLEARED: Final = "_pick_cleared"  # how often: a chart then stands anew, without its own mark


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
