"""The analysis of stored scores behind the error-analysis page: opened once a server, with its latest results.

Also what a link's selection means here: a split, a saved list or a tag, narrowed by conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import streamlit as st

from dashboard.server.service import RecentResults, Service
from dashboard.server.workspace import get_workspace
from leader_core import InputError, NotFoundError
from leader_core.error_analysis import Analysis, Condition, Lookup, Selection
from leader_core.workspace import SavedCohort

T = TypeVar("T")

EVERYBODY: Final = "all"
LIST: Final = "list-"


@dataclass
class AnalysisCache:
    """The server's analysis of one cohort and the results used last. Shared by all sessions."""

    analysis: Analysis
    _results: RecentResults[Any] = field(default_factory=lambda: RecentResults(96))

    def cached(self, key: Hashable, compute: Callable[[], T]) -> T:
        """A result that was computed before, or a new one; other sessions do not wait for it."""
        cached: T | None = self._results.get(key)
        if cached is None:
            cached = compute()
            self._results.put(key, cached)
        return cached


def get_analysis_cache(service: Service) -> AnalysisCache:
    """The analysis of the cohort being served.

    Raises:
        NotFoundError: no scores are stored; the text says how to store them.
    """
    store = service.engine.cohort.scores
    stored = (
        tuple((m.name, m.digest, m.scored_at) for m in store.models.values()) if store is not None else ()
    )
    return _open(service.serial, stored, service)


@st.cache_resource(max_entries=4, show_spinner=False)
def _open(serial: int, stored: tuple[Hashable, ...], _service: Service) -> AnalysisCache:
    return AnalysisCache(Analysis.of(_service.engine.cohort))


def lookup(service: Service) -> Lookup:
    """Resolves the ids of the workspace in a selection: patients of a saved list, visits with a tag."""

    def ids_of(kind: str, name: str) -> tuple[int, ...]:
        workspace = get_workspace(service)
        if kind == "tag":
            return workspace.tags.tagged(name)
        return listed(service, saved_list(service, name))

    return ids_of


def saved_list(service: Service, list_id: str) -> SavedCohort:
    """A saved list by its id.

    Raises:
        NotFoundError: there is none, or no more.
    """
    for saved in get_workspace(service).cohorts():
        if saved.cohort_id == list_id:
            return saved
    raise NotFoundError(
        "The link names a saved list that is not in this workspace; perhaps somebody removed it. "
        "Choose the cases again under Error analysis."
    )


def listed(service: Service, saved: SavedCohort) -> tuple[int, ...]:
    """The patients on a saved list now."""
    if saved.query is None:
        return saved.patient_ids
    return service.engine.cohort.patient_ids(saved.query)


def base(analysis: Analysis, cases: str) -> Selection:
    """The cases that the page starts from: a split's, a saved list's, or all; "all" for what is neither."""
    if cases.startswith(LIST):
        return Selection((Condition("list", (cases.removeprefix(LIST),)),))
    splits = analysis.frame.columns["split"].values
    return Selection((Condition("is", ("split",), splits.index(cases)),)) if cases in splits else Selection()


def patient_ids(service: Service, text: str) -> tuple[int, ...]:
    """Whose cases a link's selection holds.

    Raises:
        LeaderError: no stored scores, or a selection that they do not have.
    """
    return get_analysis_cache(service).analysis.patients(Selection.of(text), lookup(service))


def read_selection(text: str) -> str | None:
    """A selection's text from a link; None for what is none."""
    try:
        return Selection.of(text).text or None
    except InputError:
        return None
