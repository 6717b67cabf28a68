"""Opening pages and clicking quickly between them while models load, a teacher is slow and the machine is busy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT, Visitor, started

pytestmark = pytest.mark.browser

ROUNDS = 4
HELD = "teacher-held"
"""A file in the server's folder, while which exists the teacher does not answer."""
TITLES = {
    "Patients": "Patients",
    "New case": "New case",
    "Error analysis": "Error analysis",
    "Models": "Models",
}


@contextmanager
def slow_server(folder: Path) -> Iterator[str]:
    """Made-up models that begin to load with the server; see `loading_server`."""
    command = [str(ROOT / "tests" / "browser" / "loading_server.py")]
    environment = {
        "LEADER_WORKSPACE": str(folder / "workspace.sqlite"),
        "LEADER_TEACHER_HELD": str(folder / HELD),
    }
    with started(command, environment) as base:
        yield base


@pytest.fixture
def loading_server(browser_path: Path, tmp_path: Path) -> Iterator[str]:
    """A server whose models have just begun to load."""
    with slow_server(tmp_path) as base:
        yield base


@pytest.fixture(scope="module")
def loaded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loaded")


@pytest.fixture(scope="module")
def loaded_server(browser_path: Path, loaded_folder: Path) -> Iterator[str]:
    """A server for the tests that wait until the models are there."""
    with slow_server(loaded_folder) as base:
        yield base


@pytest.fixture
def visitor(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Visitor]:
    """A visitor of the server whose fixture the test names."""
    server: str = request.getfixturevalue(request.param)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    visitor = Visitor(context.new_page(), server)
    visitor.listen()
    yield visitor
    visitor.unharmed()
    context.close()


LOADING = pytest.mark.parametrize("visitor", ["loading_server"], indirect=True)
LOADED = pytest.mark.parametrize("visitor", ["loaded_server"], indirect=True)


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


@LOADING
def test_pages_open_and_rows_lead_on_while_models_load(visitor: Visitor) -> None:
    page = visitor.page
    for number in range(ROUNDS):
        visitor.open("/")
        row = page.locator("table.worklist tbody th a").nth(number)
        expect(row).to_be_visible()
        patient = row.inner_text()
        page.wait_for_timeout(400 * number)  # meet the loading at another moment each time
        row.click()
        expect(page.get_by_role("heading", level=1, name=f"Patient {patient}", exact=True)).to_be_visible()
        expect(page).to_have_url(re.compile(rf"/case\?patient={patient}\b"))
        page.get_by_role("link", name="Models", exact=True).click()
        heading(page, "Models")
        page.reload()
        heading(page, "Models")
        expect(page.get_by_text("not a medical device").first).to_be_visible()


@LOADING
def test_quick_clicks_between_pages_end_on_the_last_one(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/")
    for number in range(2 * ROUNDS):
        for name in TITLES:
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_timeout(60 * (number % 5))
        heading(page, "Models")
        expect(page).to_have_url(re.compile("/models"))
        expect(page.locator("h1")).to_have_count(1)


@LOADED
def test_no_letter_typed_into_the_search_is_lost_when_models_become_ready(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/")
    search = page.get_by_placeholder("Diagnosis, procedure, drug, code or patient number")
    search.click()
    ready = page.get_by_text(re.compile("^(Teacher|Student) ready$"))
    typed = ""
    while not typed or ready.count() < 2 or len(typed) % 5:
        typed += "heart"[len(typed) % 5]
        page.keyboard.type(typed[-1])
        page.wait_for_timeout(40 + 70 * (len(typed) % 6))  # sometimes shorter than the pause before a search
    expect(search).to_have_value(typed)
    expect(page.get_by_text(f"0 patients, with search “{typed}”", exact=True)).to_be_visible()


@LOADED
def test_student_stands_and_the_next_case_opens_while_teacher_reads(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/")
    expect(page.get_by_text("Teacher ready")).to_be_visible()
    page.locator("table.worklist tbody th a").first.click()
    student = page.locator(".st-key-metrics-student")
    seen = set()
    for _ in range(ROUNDS):
        expect(student).to_be_visible()
        expect(page.locator(".st-key-metrics-teacher")).to_have_count(0)
        seen.add(page.locator("h1").first.inner_text())
        before = page.locator("h1").first.inner_text()
        page.locator(".st-key-step_next button").click()
        expect(page.locator("h1").first).not_to_have_text(before)
    assert len(seen) == ROUNDS
    expect(page.locator(".st-key-metrics-teacher")).to_be_visible()


@LOADED
def test_two_visitors_take_turns_with_one_teacher(
    visitor: Visitor, browser: Browser, loaded_folder: Path
) -> None:
    page = visitor.page
    visitor.open("/")
    expect(page.get_by_text("Teacher ready")).to_be_visible()
    (loaded_folder / HELD).touch()
    other = browser.new_context().new_page()
    other.goto(f"{visitor.base}/case?patient=10072&view=research")
    page.goto(f"{visitor.base}/case?patient=10071&view=research")
    waiting = re.compile("Waiting for the teacher, which is busy|The teacher is reading this case")
    for each in (other, page):
        expect(each.get_by_text(waiting).first).to_be_visible()
    (loaded_folder / HELD).unlink()
    for each in (other, page):
        expect(each.locator(".st-key-metrics-teacher")).to_be_visible()
    other.context.close()
