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


@pytest.fixture
def visitor(visit: Visit) -> Iterator[Visitor]:
    visitor = visit()
    yield visitor
    visitor.unharmed()


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_pages_open_and_rows_lead_on_while_models_load(visitor: Visitor) -> None:
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


def test_quick_clicks_between_pages_end_on_the_last_one(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/")
    for number in range(ROUNDS):
        for name in TITLES:
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_timeout(120 * number)
        heading(page, "Models")
        expect(page).to_have_url(re.compile("/models"))
        expect(page.locator("h1")).to_have_count(1)


def test_no_letter_typed_into_the_search_is_lost_when_models_become_ready(
    visitor: Visitor, hold: Path
) -> None:
    page = visitor.page
    visitor.open("/")
    search = page.get_by_placeholder("Diagnosis, procedure, drug, code or patient number")
    search.click()
    ready = page.get_by_text(re.compile("^(Teacher|Student) ready$"))
    typed = ""
    while ready.count() < 2 or len(typed) % 5:
        if len(typed) == 5:
            (hold / "models").unlink(missing_ok=True)
        typed += "heart"[len(typed) % 5]
        page.keyboard.type(typed[-1])
        page.wait_for_timeout(40 + 70 * (len(typed) % 6))  # sometimes shorter than the pause before a search
    expect(search).to_have_value(typed)
    expect(page.get_by_text(f"0 patients · search “{typed}”", exact=True)).to_be_visible()


def test_student_stands_and_the_next_case_opens_while_teacher_reads(visitor: Visitor, hold: Path) -> None:
    (hold / "models").unlink(missing_ok=True)
    page = visitor.page
    visitor.open("/")
    expect(page.get_by_text("Teacher ready")).to_be_visible()
    page.locator("table.worklist tbody th a").first.click()
    student = page.locator(".st-key-metrics-student")
    seen = set()
    (hold / "teacher").touch()
    for _ in range(ROUNDS):
        expect(student).to_be_visible()
        expect(page.locator(".st-key-metrics-teacher")).to_have_count(0)
        seen.add(page.locator("h1").first.inner_text())
        before = page.locator("h1").first.inner_text()
        page.locator(".st-key-step_next button").click()
        expect(page.locator("h1").first).not_to_have_text(before)
    assert len(seen) == ROUNDS
    (hold / "teacher").unlink()
    expect(page.locator(".st-key-metrics-teacher")).to_be_visible()


def test_two_visitors_take_turns_with_one_teacher(visitor: Visitor, visit: Visit, hold: Path) -> None:
    (hold / "models").unlink(missing_ok=True)
    page = visitor.page
    visitor.open("/")
    expect(page.get_by_text("Teacher ready")).to_be_visible()
    (hold / "teacher").touch()
    other = visit().page
    other.goto(f"{visitor.base}/case?patient=10072&view=research")
    page.goto(f"{visitor.base}/case?patient=10071&view=research")
    waiting = re.compile("Waiting for the teacher, which is busy|The teacher is reading this case")
    for each in (other, page):
        expect(each.get_by_text(waiting).first).to_be_visible()
    (hold / "teacher").unlink()
    for each in (other, page):
        expect(each.locator(".st-key-metrics-teacher")).to_be_visible()
