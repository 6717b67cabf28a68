"""The two views: the clinician's by default, the researcher's from a link or the switch, kept on every page."""

from __future__ import annotations

from dashboard.shared import view
from tests.dashboard.conftest import OpenPage, component_data

SWITCH = "_product_view_switch"


def _query(page: object) -> str:
    return str(component_data(page, "url_state")["query"])  # type: ignore[arg-type]


def test_the_clinicians_view_is_the_default_and_the_switch_changes_it(open_page: OpenPage) -> None:
    page = open_page("models", research=False)
    assert page.segmented_control(key=SWITCH).value == view.CLINICIAN and "view=" not in _query(page)
    page.segmented_control(key=SWITCH).set_value(view.RESEARCH).run()
    assert "view=research" in _query(page)
    page.query_params["view"] = "research"  # the address bar has followed
    page.segmented_control(key=SWITCH).set_value(view.CLINICIAN).run()
    assert "view=" not in _query(page), "a choice is not undone by what the link said before"


def test_a_link_opens_the_research_view_and_pages_without_it_keep_the_choice(open_page: OpenPage) -> None:
    page = open_page("models")
    assert page.segmented_control(key=SWITCH).value == view.RESEARCH
    del page.query_params["view"]  # as the navigation's own links do
    assert "view=research" in _query(page.run())
    page.query_params["view"] = "nonsense"
    assert "view=research" in _query(page.run())
