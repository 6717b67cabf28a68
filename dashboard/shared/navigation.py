"""The pages, in the order of work, and the ways from one to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import streamlit as st
from streamlit.navigation.page import Page

from dashboard.server import chosen_student
from dashboard.shared import wording
from dashboard.shared.formatting import escape, tag
from dashboard.shared.guard import guarded

_THEME: Final = Path(__file__).resolve().parents[2] / "assets" / "theme"
ICON: Final = str(_THEME / "icon.svg")

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

_FOLDERS: Final = {"new": "new_case", "errors": "error_analysis"}
"""URL path -> folder of dashboard/ with the page, where the two differ."""


def pages() -> dict[str, Page]:
    """Every page by its URL path."""
    return {
        path: st.Page(_drawer(path), title=title, icon=icon, url_path=path, default=path == "patients")
        for path, (title, icon) in PAGES.items()
    }


def current_page() -> Page:
    """The page that the URL names; draws the navigation."""
    return st.navigation(list(pages().values()), position="top")


def go(path: str, query: Mapping[str, str] | None = None) -> None:
    """Open another page; `query` becomes its URL parameters."""
    st.switch_page(pages()[path], query_params={**(query or {}), **chosen_student.query()})


def link(path: str, label: str, query: Mapping[str, str] | None = None, *, icon: str | None = None) -> None:
    """A link to another page."""
    asked = {**(query or {}), **chosen_student.query()}
    st.page_link(pages()[path], label=label, icon=icon or PAGES[path][1], query_params=asked)


def home() -> None:
    """The way on from an error."""
    link("patients", "Go to the worklist")


@cache
def logo(dark: bool) -> str:
    return str(_THEME / ("logo-dark.svg" if dark else "logo-light.svg"))


def no_cohort_help() -> str:
    """What to do when there is no cohort to show."""
    steps = (
        "make run builds the synthetic demo cohort when it is missing, and serves it.",
        "python -m train demo builds it alone; then reload this page.",
        "make run COHORT=your.duckdb serves a cohort of your own, built with python -m train cohort.",
    )
    return tag(
        "div", tag("strong", escape("Three ways on")), *(tag("p", escape(s)) for s in steps), css="ld-empty"
    )


def no_case() -> None:
    """The empty state of pages that are about a case."""
    st.html(tag("div", tag("strong", escape(wording.NO_CASE_TITLE)), escape(wording.NO_CASE), css="ld-empty"))
    with st.container(horizontal=True):
        link("patients", "Choose a patient")
        link("new", "Enter a case")


def _drawer(path: str) -> Callable[[], None]:
    def draw() -> None:
        import_module(f"dashboard.{_FOLDERS.get(path, path)}.page").draw()

    return guarded(draw, home=home)
