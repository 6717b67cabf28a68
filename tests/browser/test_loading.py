"""Opening pages and clicking quickly between them while models load, a teacher is slow and the machine is busy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, Visitor, started

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
ROUNDS = 2
TITLES = ("Patients", "New case", "Error analysis", "Models")


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While it has a file `models`, the models load; while it has a file `teacher`, the teacher does not answer."""
    folder = tmp_path_factory.mktemp("held")
    (folder / "models").touch()
    return folder


@pytest.fixture(scope="module")
def server(browser_path: Path, hold: Path) -> Iterator[str]:
    """Made-up models that load until `hold` lets them; see `loading_server`. The tests stand in the order of its life."""
    environment = {"LEADER_WORKSPACE": str(hold / "workspace.sqlite"), "LEADER_HELD": str(hold)}
    with started([str(ROOT / "tests" / "browser" / "loading_server.py")], environment) as base:
        yield base


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_pages_open_and_no_click_or_letter_is_lost_while_models_load(visit: Visit, hold: Path) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("/")
    row = page.locator("table.worklist tbody th a").nth(1)
    expect(row).to_be_visible()
    patient = row.inner_text()
    row.click()
    expect(page.get_by_role("heading", level=1, name=f"Patient {patient}", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/case\?patient={patient}\b"))
    page.get_by_role("link", name="Models", exact=True).click()
    heading(page, "Models")
    page.reload()
    heading(page, "Models")
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    _quick_clicks(page)
    page.get_by_role("link", name="Patients", exact=True).click()
    _typed_until_models_are_ready(page, hold)
    visitor.unharmed()


def _quick_clicks(page: Page) -> None:
    """They end on the last page."""
    for number in range(ROUNDS):
        for name in TITLES:
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_timeout(120 * number)
        heading(page, "Models")
        expect(page).to_have_url(re.compile("/models"))
        expect(page.locator("h1")).to_have_count(1)


def _typed_until_models_are_ready(page: Page, hold: Path) -> None:
    """No letter of a search is lost when the pages are drawn again for a model that is ready."""
    search = page.get_by_placeholder("Diagnosis, procedure, drug, code or patient number")
    search.click()
    ready = page.get_by_text(re.compile("^(Teacher|Student) ready$"))
    typed = ""
    while ready.count() < 2 or len(typed) % 5:
        if len(typed) == 5:
            (hold / "models").unlink()
        typed += "heart"[len(typed) % 5]
        page.keyboard.type(typed[-1])
        page.wait_for_timeout(40 + 70 * (len(typed) % 6))  # sometimes shorter than the pause before a search
    expect(search).to_have_value(typed)
    expect(page.get_by_text(f"0 patients · search “{typed}”", exact=True)).to_be_visible()


def test_pages_stand_and_others_open_while_the_teacher_reads(visit: Visit, hold: Path) -> None:
    """The student's scores stand, the next case opens, and two visitors take turns with the one teacher."""
    (hold / "models").unlink(missing_ok=True)
    visitor, other = visit(), visit()
    page = visitor.page
    visitor.open("/")
    expect(page.get_by_text("Teacher ready")).to_be_visible()
    (hold / "teacher").touch()
    page.locator("table.worklist tbody th a").first.click()
    scored = page.locator(".st-key-metrics-teacher")
    for _ in range(ROUNDS):
        expect(page.locator(".st-key-metrics-student")).to_be_visible()
        expect(scored).to_have_count(0)
        before = page.locator("h1").first.inner_text()
        page.locator(".st-key-step_next button").click()
        expect(page.locator("h1").first).not_to_have_text(before)
    other.page.goto(f"{visitor.base}/case?patient=10072&view=research")
    waiting = re.compile("Waiting for the teacher, which is busy|The teacher is reading this case")
    for each in (other, visitor):
        expect(each.page.get_by_text(waiting).first).to_be_visible()
    (hold / "teacher").unlink()
    for each in (other, visitor):
        expect(each.page.locator(".st-key-metrics-teacher")).to_be_visible()
        each.unharmed()
