"""The two views of the product: the clinician's (the default) and the researcher's, kept in the session and the link."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.shared import widgets

PARAMETER: Final = "view"
"""The URL parameter; absent for the clinician's view."""
RESEARCH: Final = "research"
CLINICIAN: Final = "clinician"
LABELS: Final = {CLINICIAN: "Clinician's view", RESEARCH: "Research view"}

_CHOSEN: Final = "_product_view"
_READ: Final = "_product_view_read"
_SWITCH: Final = "_product_view_switch"


def is_research() -> bool:
    """Whether this session looks at the research view.

    The link is read where it changed; a page opened from the navigation, which names no view, keeps the choice.
    """
    state = st.session_state
    linked = st.query_params.get(PARAMETER, "")
    if linked != state.get(_READ, ""):
        state[_READ] = linked
        if linked in LABELS:
            state[_CHOSEN] = linked
    return bool(state.get(_CHOSEN) == RESEARCH)


def view_query() -> dict[str, str]:
    """The URL parameter of this session's view; empty for the clinician's."""
    return {PARAMETER: RESEARCH} if is_research() else {}


def switch() -> None:
    """The switch between the two views; the shell draws it on every page."""
    st.session_state[_SWITCH] = RESEARCH if is_research() else CLINICIAN
    widgets.switch("View", LABELS, key=_SWITCH, width="content", on_change=_choose)


def choose(name: str) -> None:
    """Show this view from now on; what the link says is read already, so that a late link cannot undo it."""
    st.session_state[_CHOSEN] = name
    st.session_state[_READ] = st.query_params.get(PARAMETER, "")


def _choose() -> None:
    choose(st.session_state[_SWITCH])
