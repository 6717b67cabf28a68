"""The two views: the clinician's by default, the researcher's from a link or the switch, kept on every page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboard.case import page as case
from dashboard.error_analysis import page as errors
from dashboard.interactions import page as interactions
from dashboard.models import page as models
from dashboard.patients import filter_bar as patients
from dashboard.prompt import page as prompt
from dashboard.shared import view_switch
from tests.dashboard.conftest import OpenPage, component_data, text

SWITCH = "_product_view_switch"


def _query(page: object) -> str:
    return str(component_data(page, "url_state")["query"])  # type: ignore[arg-type]


def test_the_clinicians_view_is_the_default_and_the_switch_changes_it(open_page: OpenPage) -> None:
    page = open_page("models", research=False)
    assert page.segmented_control(key=SWITCH).value == view_switch.CLINICIAN and "view=" not in _query(page)
    page.segmented_control(key=SWITCH).set_value(view_switch.RESEARCH).run()
    assert "view=research" in _query(page)
    page.query_params["view"] = "research"  # the address bar has followed
    page.segmented_control(key=SWITCH).set_value(view_switch.CLINICIAN).run()
    assert "view=" not in _query(page), "a choice is not undone by what the link said before"


def test_a_link_opens_the_research_view_and_pages_without_it_keep_the_choice(open_page: OpenPage) -> None:
    page = open_page("models")
    assert page.segmented_control(key=SWITCH).value == view_switch.RESEARCH
    del page.query_params["view"]  # as the navigation's own links do
    assert "view=research" in _query(page.run())
    page.query_params["view"] = "nonsense"
    assert "view=research" in _query(page.run())


def test_the_teachers_prompt_stands_in_the_research_navigation_alone(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[str]] = []
    navigate = st.navigation

    def navigation(pages: list[st.Page], **arguments: Any) -> st.Page:
        shown.append([page.title for page in pages if page.visibility == "visible"])
        return navigate(pages, **arguments)

    monkeypatch.setattr(st, "navigation", navigation)
    page = open_page("prompt", research=False, patient="10006")
    assert "Prompt" not in shown[-1] and "Case" in shown[-1]
    assert "Patient 10006" in text(page), "a link opens it all the same"
    page.segmented_control(key=SWITCH).set_value(view_switch.RESEARCH).run()
    assert "Prompt" in shown[-1]


def test_no_pages_value_has_the_name_of_another_pages_widget() -> None:
    """Streamlit keeps values by key for all pages: one would be taken for the other while a page is left."""
    folder = Path(case.__file__).parents[1]
    bound = {
        "patients": patients.BINDINGS,
        **{
            page.__name__.split(".")[1]: page._BINDINGS
            for page in (case, errors, interactions, models, prompt)
        },
    }
    for page in bound:
        sources = [path.read_text(encoding="utf-8") for path in (folder / page).glob("*.py")]
        own = {key for source in sources for key in re.findall(r'\bkey="(\w+)"', source)}
        assert own, page
        for other in set(bound) - {page}:
            assert own & set(bound[other]) == set(), (page, other)
