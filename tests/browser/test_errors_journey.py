"""From a mark of the error analysis to its cases, to one of them, and back; at 390 px nothing is too wide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.components.errors_words import VIEWS
from tests.browser.conftest import PATIENCE, Visitor, serving
from tests.planted import Planted


@pytest.fixture(scope="module")
def scored(
    browser_path: Path, synthetic_cohort: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server over planted scores and without models, which the error analysis does not need."""
    folder = tmp_path_factory.mktemp("scored")
    planted = Planted(synthetic_cohort, folder)
    planted.cohort.close()
    with serving(planted.path, folder / "none") as base:
        yield base


def _open(browser: Browser, base: str, path: str, width: int = 1440) -> Visitor:
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    visitor = Visitor(page, base)
    visitor.listen()
    page.goto(base + path)
    expect(page.locator("h1").first).to_have_text("Error analysis", timeout=PATIENCE)
    return visitor


def _through_the_worklist(page: Page, number: str) -> None:
    """The worklist of the chosen cases, one of them, and back to the worklist."""
    expect(page).to_have_url(re.compile(r"/\?cases="), timeout=PATIENCE)
    expect(
        page.get_by_text(re.compile(f"^{number} patients?, with cases chosen under Error analysis"))
    ).to_be_visible(timeout=PATIENCE)
    link = page.locator("tbody tr a").first
    patient = link.inner_text()
    link.click()
    expect(page).to_have_url(re.compile(rf"/case\?patient={patient}"), timeout=PATIENCE)
    expect(page.locator("h1").first).to_contain_text(patient, timeout=PATIENCE)
    page.go_back()
    expect(page).to_have_url(re.compile(r"/\?cases="), timeout=PATIENCE)
    expect(page.get_by_text("cases chosen under Error analysis")).to_be_visible(timeout=PATIENCE)


def test_from_a_mark_to_a_case_and_back(browser: Browser, scored: str) -> None:
    visitor = _open(browser, scored, "/errors?of=all&by=gender&metric=recall")
    page = visitor.page
    mark = page.locator(".scatterlayer .trace .points path").first
    expect(mark).to_be_visible(timeout=PATIENCE)
    mark.click(force=True)
    opened = page.get_by_role("link", name=re.compile(r"Open [\d,]+ cases? in the worklist"))
    expect(opened).to_be_visible(timeout=PATIENCE)
    number = re.search(r"Open ([\d,]+)", opened.inner_text())
    assert number
    opened.click()
    _through_the_worklist(page, number[1])
    page.go_back()
    expect(page).to_have_url(re.compile(r"/errors\?.*by=gender"), timeout=PATIENCE)
    expect(page.get_by_text("Recall by gender")).to_be_visible(timeout=PATIENCE)

    count = page.locator("table.ld-links a").first
    number_text = count.inner_text()
    count.click()
    _through_the_worklist(page, number_text)
    visitor.unharmed()


def test_no_view_is_too_wide_for_a_telephone(browser: Browser, scored: str) -> None:
    visitor = _open(browser, scored, "/errors?of=all", 390)
    page = visitor.page
    for view in VIEWS:
        page.goto(f"{scored}/errors?of=all&view={view}")
        expect(page.get_by_role("radio", name=VIEWS[view], exact=True)).to_be_visible(timeout=PATIENCE)
        expect(page.locator(".ld-links, .ld-empty, .js-plotly-plot").first).to_be_visible(timeout=PATIENCE)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{view} is {over} px too wide"
    visitor.unharmed()
