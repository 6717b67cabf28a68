"""Opening pages and moving between them while models come and go and the machine is out of breath."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import ROOT, Visitor, started

pytestmark = pytest.mark.browser

ROUNDS = 4


@pytest.fixture(scope="module")
def unsteady_server(browser_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Made-up models that are ready at one moment and loading at the next; see `loading_server`."""
    workspace = tmp_path_factory.mktemp("loading") / "workspace.sqlite"
    command = [str(ROOT / "tests" / "browser" / "loading_server.py")]
    with started(command, {"LEADER_WORKSPACE": str(workspace)}) as base:
        yield base


def test_pages_open_and_rows_lead_on_while_models_come_and_go(browser: Browser, unsteady_server: str) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    visitor = Visitor(context.new_page(), unsteady_server)
    visitor.listen()
    page = visitor.page
    for number in range(ROUNDS):
        visitor.open("/")
        row = page.locator("table.worklist tbody th a").nth(number)
        expect(row).to_be_visible()
        patient = row.inner_text()
        page.wait_for_timeout(400 * number)  # meet the redraws at another moment each time
        row.click()
        expect(page.get_by_role("heading", level=1, name=f"Patient {patient}", exact=True)).to_be_visible()
        expect(page).to_have_url(re.compile(rf"/case\?patient={patient}\b"))
        page.get_by_role("link", name="Models", exact=True).click()
        expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
        expect(page.get_by_text("not a medical device").first).to_be_visible()
    visitor.unharmed()
    context.close()
