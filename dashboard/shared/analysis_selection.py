"""The way from the error analysis into the worklist: a link's selection becomes patients, and words for the filter.

Refuses to know how the worklist is drawn.
"""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from dashboard.server import analysis_cache
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import analysis_text, markup, url_state
from leader_core import LeaderError
from leader_core.error_analysis import Selection

CASES: Final = "cases"
BINDING: Final = url_state.Binding("", analysis_cache.read_selection)


def filters(service: Service) -> dict[str, Any]:
    """What the worklist's filters need of the link's selection; nothing where there is none, or none that can be followed."""
    text = st.session_state.get(CASES) or ""
    if not text:
        return {}
    try:
        desk = analysis_cache.get_desk(service)
        found = analysis_cache.patient_ids(service, text)
        told = [condition_told(service, desk, c) for c in Selection.of(text).conditions]
    except LeaderError as error:
        st.html(markup.callout(f"The cases that the link names cannot be shown. {error}", "warn"))
        st.session_state[CASES] = ""
        return {}
    return {"cases": text, "case_ids": found, "cases_text": "; ".join(told)}


def condition_told(service: Service, desk: analysis_cache.Desk, condition: Any) -> str:
    """A condition in words."""
    return analysis_text.condition(
        condition, desk.analysis.frame, lambda kind, name: named(service, kind, name)
    )


def named(service: Service, kind: str, name: str) -> str:
    """The name of a class, a saved list or a tag."""
    if kind == "class":
        return service.engine.cohort.title("medication", name) or name
    workspace = get_workspace(service)
    if kind == "list":
        found = next((c.name for c in workspace.cohorts() if c.cohort_id == name), "one that is gone")
        return f"on the list {found}"
    kinds = {k.kind_id: k.name for k in workspace.tags.kinds(removed=True)}
    return f"tagged {kinds.get(name, 'with a kind that is gone')}"
