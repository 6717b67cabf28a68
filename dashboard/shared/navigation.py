"""The pages' names and addresses in the order of work, and links between them.

A new page: a folder with `page.py`, an entry here in `PAGES`, and one in `DRAWN` in `shell/router.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from dashboard.server.service import student_query
from dashboard.shared import view_switch

PAGES: Final[Mapping[str, tuple[str, str]]] = {
    "patients": ("Patients", ":material/groups:"),
    "case": ("Case", ":material/clinical_notes:"),
    "new": ("New case", ":material/person_add:"),
    "interactions": ("Interactions", ":material/hub:"),
    "prompt": ("Prompt", ":material/article:"),
    "errors": ("Error analysis", ":material/query_stats:"),
    "models": ("Models", ":material/model_training:"),
}
"""URL path -> (title, icon)."""
RESEARCH_PAGES: Final = frozenset(("prompt",))
"""Pages that the clinician's navigation leaves out; links lead to them all the same."""
_REGISTERED: Final = "_pages"


def register(pages: Mapping[str, st.Page]) -> None:
    """Take the pages of this run, by URL path; the shell calls it before anything is drawn."""
    st.session_state[_REGISTERED] = dict(pages)


def _page(path: str) -> st.Page:
    page: st.Page = st.session_state[_REGISTERED][path]
    return page


def shared_query() -> dict[str, str]:
    """What every link of this session carries: the student that was chosen, and the view."""
    return {**student_query(), **view_switch.view_query()}


def go(path: str, query: Mapping[str, str] | None = None) -> None:
    """Open another page; `query` becomes its URL parameters."""
    st.switch_page(_page(path), query_params={**(query or {}), **shared_query()})


def link(path: str, label: str, query: Mapping[str, str] | None = None) -> None:
    """A link to another page."""
    st.page_link(
        _page(path),
        label=label,
        icon=PAGES[path][1],
        query_params={**(query or {}), **shared_query()},
    )


def home_link() -> None:
    """A link to the worklist, drawn below an error."""
    link("patients", "Go to the worklist")


def case_links() -> None:
    """Links to choose a patient or to enter a case."""
    with st.container(horizontal=True):
        link("patients", "Choose a patient")
        link("new", "Enter a case")
