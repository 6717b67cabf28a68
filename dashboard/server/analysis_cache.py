"""The analysis of stored scores behind the error-analysis page: opened once a server, asked with the page's state.

Owns which cases are meant (a split or a saved list, narrowed by conditions) and keeps the latest answers.
Refuses to know how they are drawn.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import streamlit as st

from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from leader_core import InputError, LeaderError, NotFoundError
from leader_core.error_analysis import Analysis, Condition, Lookup, Selection
from leader_core.workspace import SavedCohort

T = TypeVar("T")

EVERYBODY: Final = "all"
LIST: Final = "list-"
_KEPT: Final = 96


@dataclass
class Desk:
    """The server's analysis of one cohort, and the answers it gave last. Shared by all sessions."""

    analysis: Analysis
    _answers: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def kept(self, key: Hashable, ask: Callable[[], T]) -> T:
        """An answer that was given before, or a new one."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                found: T = self._answers[key]
                return found
        made = ask()
        with self._lock:
            self._answers[key] = made
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return made


def get_desk(service: Service) -> Desk:
    """The desk of the cohort being served.

    Raises:
        NotFoundError: no scores are stored; the text says how to store them.
    """
    return _open(id(service), service)


@st.cache_resource(max_entries=4, show_spinner=False)
def _open(identity: int, _service: Service) -> Desk:
    return Desk(Analysis.of(_service.engine.cohort))


def lookup(service: Service) -> Lookup:
    """Finds what a selection names by an id of the workspace: patients of a saved list, visits with a tag."""

    def find(kind: str, name: str) -> tuple[int, ...]:
        workspace = get_workspace(service)
        if kind == "tag":
            return workspace.tags.tagged(name)
        return listed(service, saved_list(service, name))

    return find


def saved_list(service: Service, list_id: str) -> SavedCohort:
    """A saved list by its id.

    Raises:
        NotFoundError: there is none, or no more.
    """
    for found in get_workspace(service).cohorts():
        if found.cohort_id == list_id:
            return found
    raise NotFoundError(
        "The link names a saved list that is not in this workspace; perhaps somebody removed it. "
        "Choose the cases anew under Error analysis."
    )


def listed(service: Service, saved: SavedCohort) -> tuple[int, ...]:
    """Who is on a saved list now."""
    if saved.query is None:
        return saved.patient_ids
    return service.engine.cohort.patient_ids(saved.query)


def base(desk: Desk, cases: str) -> Selection:
    """The cases that the page starts from: a split's, a saved list's, or all; "all" for what is neither."""
    if cases.startswith(LIST):
        return Selection((Condition("list", (cases.removeprefix(LIST),)),))
    splits = desk.analysis.frame.columns["split"].values
    return Selection((Condition("is", ("split",), splits.index(cases)),)) if cases in splits else Selection()


def patient_ids(service: Service, text: str) -> tuple[int, ...]:
    """Whose cases a link's selection holds.

    Raises:
        LeaderError: no stored scores, or a selection that they do not have.
    """
    desk = get_desk(service)
    return desk.analysis.patients(Selection.of(text), lookup(service))


def read_selection(text: str) -> str | None:
    """A selection's text from a link; None for what is none."""
    try:
        return Selection.of(text).text or None
    except InputError:
        return None


def selected(service: Service, text: str) -> tuple[tuple[int, ...], str]:
    """Patients of a link's selection, and a sentence instead where it cannot be followed."""
    try:
        return patient_ids(service, text), ""
    except LeaderError as error:
        return (), str(error)
