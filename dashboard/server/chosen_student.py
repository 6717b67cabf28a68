"""Which student this session looks at: the server's own, or one trained from the page, named by its run in the link.

Refuses to know how a student is loaded (`service`) and how runs are made (`training`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.server.settings import Settings, read_settings
from dashboard.server.training_runs import Runs
from dashboard.server.training_state import ID, Run
from leader_core.workspace import default_path

STUDENT: Final = "student"
"""The URL parameter; absent for the server's own."""

_CHOSEN: Final = "_student"
_READ: Final = "_student_read"
_GONE: Final = "_student_gone"


def runs_folder(settings: Settings) -> Path:
    """Where runs are kept: the folder that was named, or one beside the workspace."""
    return settings.runs or (settings.workspace or default_path(settings.cohort)).with_suffix(".runs")


def get_runs() -> Runs:
    """The server's one view of its runs."""
    return _runs(runs_folder(read_settings()))


@st.cache_resource(show_spinner=False)
def _runs(folder: Path) -> Runs:
    return Runs(folder)


def chosen() -> Run | None:
    """The run whose student this session looks at; None for the server's own.

    The link is read where it changed; a page opened from the navigation, which names no student, keeps the choice.
    """
    state = st.session_state
    asked = st.query_params.get(STUDENT, "")
    if asked != state.get(_READ, ""):
        state[_READ] = asked
        if asked:
            state[_CHOSEN] = asked
    name = state.get(_CHOSEN, "")
    if not name:
        return None
    run = get_runs().get(name)
    if run is None or run.state != "done":
        del state[_CHOSEN]
        state[_GONE] = True
        return None
    return run


def query() -> dict[str, str]:
    """The URL parameter of this session's choice; empty for the server's own student."""
    name = st.session_state.get(_CHOSEN, "")
    return {STUDENT: name} if name else {}


def choose(name: str) -> None:
    """Look at the student of a run from now on; "" goes back to the server's own. Call from a widget's callback."""
    if name and ID.fullmatch(name):
        st.session_state[_CHOSEN] = name
        st.query_params[STUDENT] = name
    else:
        st.session_state.pop(_CHOSEN, None)
        st.query_params.pop(STUDENT, None)
    st.session_state[_READ] = st.query_params.get(STUDENT, "")


def gone() -> bool:
    """Whether the link named a student that is not there (any more); says so once."""
    return bool(st.session_state.pop(_GONE, False))
