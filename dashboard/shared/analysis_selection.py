"""From the error analysis to the worklist: a link's selection becomes patients, and a text for the filter."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from dashboard.server import analysis_cache
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, session, url_state
from dashboard.shared.analysis_text import describe_condition
from leader_core import LeaderError
from leader_core.error_analysis import Selection
from leader_core.workspace import NO_ERROR

CASES: Final = "cases"
"""The worklist's URL parameter that holds a selection."""
BINDING: Final = url_state.Binding("", analysis_cache.read_selection)


def filters(service: Service) -> dict[str, Any]:
    """The worklist's filters for the link's selection; empty where there is none, or none that can be followed."""
    text = st.session_state.get(CASES) or ""
    if not text:
        return {}
    try:
        frame = analysis_cache.get_analysis_cache(service).analysis.frame
        ids = analysis_cache.patient_ids(service, text)
        words = [
            describe_condition(condition, frame, lambda kind, name: named(service, kind, name))
            for condition in Selection.of(text).conditions
        ]
    except LeaderError as error:
        st.html(markup.callout(f"The cases that the link names cannot be shown. {error}", "warn"))
        st.session_state[CASES] = ""
        return {}
    return {"cases": text, "case_ids": ids, "cases_text": "; ".join(words)}


def focus_query() -> dict[str, str]:
    """The URL parameter of the class that the link's selection is about, for links to its cases; empty for none or several."""
    conditions = Selection.of(st.session_state.get(CASES) or "").conditions
    codes = {c.names[0] for c in conditions if c.kind == "class"}
    return {session.FOCUS: codes.pop()} if len(codes) == 1 else {}


def named(service: Service, kind: str, name: str) -> str:
    """The name of a class, a saved list or a tag."""
    if kind == "class":
        return service.engine.cohort.title("medication", name) or name
    workspace = get_workspace(service)
    if kind == "list":
        saved = next((c.name for c in workspace.cohorts() if c.cohort_id == name), "one that is gone")
        return f"on the list {saved}"
    kinds = {k.kind_id: k.name for k in workspace.tags.kinds(removed=True)}
    return (
        "a row tagged no error"
        if name == NO_ERROR
        else f"a row tagged {kinds.get(name, 'with a kind that is gone')}"
    )
