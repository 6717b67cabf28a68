"""A case typed from nothing, in both views: what is on screen belongs to it or is greyed, and a reload keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.steps import add_code, both_scored, still

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]


def test_what_is_on_screen_belongs_to_the_case_on_screen(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("/new", research=False)
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.get_by_role("button", name="Remove Atrial fibrillation")).to_be_visible()
    page.get_by_role("button", name="Recommend", exact=True).click()
    results, before = page.locator(".st-key-results"), page.get_by_text("the case before your changes")
    expect(results.get_by_role("heading", name="Both models suggest, not ordered")).to_be_visible()
    expect(results.get_by_text("Female, 75-84 years")).to_be_visible()

    add_code(page, "Diagnoses", "UTI")
    expect(before).to_be_visible()
    expect(page.locator(".st-key-results_body")).to_have_css("opacity", "0.4")
    page.get_by_role("button", name="Recommend again").click()
    expect(before).to_have_count(0)
    expect(results.locator(".ld-difference")).to_contain_text("Added: Urinary tract infection")

    link = re.compile(r"/new\?.*draft=[\w-]{16}")
    expect(page).to_have_url(link)
    assert "4280" not in page.url
    page.reload()
    expect(page.get_by_role("button", name="Remove Urinary tract infection")).to_be_visible()
    expect(results.locator(".ld-difference")).to_contain_text("Added: Urinary tract infection")
    page.get_by_text("Research view").click()
    both_scored(page)
    page.get_by_role("button", name="Start blank").click()
    expect(page.get_by_text("Nothing scored yet")).to_be_visible()
    expect(results).to_have_count(0)
    still(page)
    visitor.unharmed()
