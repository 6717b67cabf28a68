"""Stars, notes and saved lists in the worklist: who is marked, and filters kept under a name in the workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import streamlit as st

from dashboard.patients.filters import Filters
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup
from dashboard.shared.formatting import count
from leader_core import LeaderError
from leader_core.cohort.query import Sort
from leader_core.workspace import SavedCohort, Workspace

Open = Callable[[Filters, Sort, bool], None]
_NAME: Final = "_list_name"
_SAID: Final = "_list_said"


def marked_ids(service: Service, marked: str) -> tuple[int, ...] | None:
    """The patients that are starred or have notes; None where everybody is meant."""
    if marked == "any":
        return None
    found = get_workspace(service).marks()
    return tuple(
        sorted(p for p, mark in found.items() if (mark.starred if marked == "starred" else mark.notes))
    )


def marks(service: Service, patient_ids: Iterable[int]) -> dict[int, str]:
    """What stands beside these patients, in words; empty where none of them is marked."""
    found = get_workspace(service).marks()
    told = {}
    for patient_id in patient_ids:
        if (mark := found.get(patient_id)) is not None:
            parts = ["\N{BLACK STAR}"] if mark.starred else []
            told[patient_id] = " ".join([*parts, *([count(mark.notes, "note")] if mark.notes else [])])
    return told


def show(service: Service, filters: Filters, sort: Sort, descending: bool, on_open: Open) -> None:
    """A popover with the saved lists, and a place to keep the list that is shown."""
    workspace = get_workspace(service)
    saved = [cohort for cohort in workspace.cohorts() if cohort.query is not None]
    with st.popover(
        f"Saved lists ({len(saved)})" if saved else "Saved lists",
        icon=":material/bookmarks:",
        type="tertiary",
    ):
        for notice in workspace.notices:
            st.html(markup.callout(notice, "warn"))
        if said := st.session_state.pop(_SAID, ""):
            st.html(markup.callout(said, "warn"))
        if not saved:
            st.html(
                markup.note("Filters and order kept under a name stand here, for everybody on this server.")
            )
        for cohort in saved:
            _line(workspace, cohort, on_open)
        if workspace.writable:
            st.text_input("Keep the list that is shown as", key=_NAME, max_chars=120, placeholder="A name")
            st.button("Keep", key="keep_list", on_click=_keep, args=(workspace, filters, sort, descending))


def _line(workspace: Workspace, cohort: SavedCohort, on_open: Open) -> None:
    query = cohort.query
    if query is None:
        return
    opened = Filters.of(query)
    if query.patient_ids is not None:  # a fixed set of patients is shown as a list of its own
        opened = replace(opened, cases=f"list:{cohort.cohort_id}", cases_told=f"the list {cohort.name}")
    told = ", ".join(opened.active().values()) or "everybody"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            cohort.name,
            key=f"list-{cohort.cohort_id}",
            type="tertiary",
            help=told,
            on_click=on_open,
            args=(opened, query.sort, query.descending),
        )
        st.space("stretch")
        st.button(
            "Remove",
            key=f"unlist-{cohort.cohort_id}-{cohort.version}",
            type="tertiary",
            disabled=not workspace.writable,
            on_click=_remove,
            args=(workspace, cohort),
        )


def _keep(workspace: Workspace, filters: Filters, sort: Sort, descending: bool) -> None:
    name = str(st.session_state.get(_NAME) or "").strip()
    if not name:
        st.session_state[_SAID] = "Give the list a name first."
        return
    try:
        workspace.save_cohort(name, replace(filters, marked="any").query(sort, descending))
        st.session_state[_NAME] = ""
        if filters.marked != "any":
            st.session_state[_SAID] = (
                "Kept without the filter on stars and notes, which are marks of the moment."
            )
    except LeaderError as error:
        st.session_state[_SAID] = str(error)


def _remove(workspace: Workspace, cohort: SavedCohort) -> None:
    try:
        workspace.remove_cohort(cohort)
    except LeaderError as error:
        st.session_state[_SAID] = str(error)
