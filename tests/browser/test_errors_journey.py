"""From a finding to its cases, one of them, what changed its score, and back; linked selection; whole at both widths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.error_analysis.page import VIEWS
from leader_core.stored_scores import ScoreWriter
from leader_core.stored_scores.write import project
from tests.browser import axe
from tests.browser.conftest import Visitor, in_research, serving
from tests.browser.steps import overflow, still
from tests.planted import Planted

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def server(
    browser_path: Path, synthetic_cohort: Path, demo_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server over planted scores, with the student alone: it explains, and the error analysis needs no model."""
    folder = tmp_path_factory.mktemp("scored")
    planted = Planted(synthetic_cohort, folder)
    cohort = planted.cohort
    with ScoreWriter.adding(planted.file, cohort.fingerprint.digest, cohort.interactions) as writer:
        writer.add_map(planted.columns.visit_ids, project(planted.scores["student"]))
    cohort.close()
    (folder / "models").mkdir()
    (folder / "models" / "student").symlink_to(demo_models / "student")
    with serving(planted.path, folder / "models") as base:
        yield base


def _open(visit: Visit, path: str, **window: Any) -> Visitor:
    visitor = visit(**window)
    visitor.page.goto(visitor.base + in_research(path))
    expect(visitor.page.locator("h1").first).to_have_text("Error analysis")
    return visitor


def _explained(page: Page) -> None:
    """What changed a score of the case that is open: the shares of what it holds, and that they add up."""
    box = page.get_by_role("combobox", name="Class to explain")
    expect(box).to_be_visible()
    still(page)  # a run that ends in between closes the list
    box.click()
    box.fill("Beta blockers")
    page.get_by_role("option").first.click()
    expect(page.get_by_text("An average patient scores")).to_be_visible()
    rows = page.get_by_role("table", name=re.compile("What changed the score of C07A"))
    expect(rows).to_contain_text("This visit")
    expect(page).to_have_url(re.compile("explain=C07A"))


def _through_the_worklist(page: Page, number: str, *, explain: bool = False) -> None:
    """The worklist of the chosen cases, one of them, perhaps what moved a score of it, and back to the worklist."""
    expect(page).to_have_url(re.compile(r"/\?cases="))
    expect(
        page.get_by_text(re.compile(f"^{number} patients? · cases chosen under Error analysis"))
    ).to_be_visible()
    link = page.locator("tbody tr a").first
    patient = link.inner_text()
    link.click()
    expect(page).to_have_url(re.compile(rf"/case\?patient={patient}"))
    expect(page.locator("h1").first).to_contain_text(patient)
    if explain:
        _explained(page)
    page.go_back()
    expect(page).to_have_url(re.compile(r"/\?cases="))
    expect(page.get_by_text("cases chosen under Error analysis")).to_be_visible()


def test_from_a_finding_to_a_case_and_back(visit: Visit) -> None:
    visitor = _open(visit, "/errors?of=all&by=gender&metric=recall")
    page = visitor.page
    select = page.get_by_role("button", name=re.compile(r"^Select its [\d,]+ cases")).first
    number = _number(select)
    select.click()
    selected = page.get_by_role("button", name=re.compile("^Selected: "))
    expect(selected).to_be_visible()
    page.get_by_text("Groups", exact=True).first.click()
    expect(page.get_by_text("Recall by sex")).to_be_visible()
    expect(page.get_by_text(re.compile(f"^{number} cases of"))).to_be_visible()
    page.get_by_role("link", name="Open in the worklist").click()
    _through_the_worklist(page, number, explain=True)
    page.go_back()
    expect(page).to_have_url(re.compile(r"/errors\?.*pick="))
    selected.click()

    mark = page.locator(".scatterlayer .trace .points path").first
    expect(mark).to_be_visible()
    expect(selected).to_have_count(0)
    still(page)
    mark.click(force=True)  # a choice in a chart selects in the same way
    expect(selected).to_be_visible()
    expect(page).to_have_url(re.compile(r"pick=gender.*from=groups"))
    _box_on_the_map(page)
    visitor.unharmed()


def _number(named: Locator) -> str:
    match = re.search(r"[\d,]+", named.inner_text())
    assert match
    return match[0]


def _box_on_the_map(page: Page) -> None:
    """A box that is drawn on the map takes the place of the earlier selection."""
    page.get_by_text("Map of cases", exact=True).first.click()
    plot = page.locator("[class*=st-key-map-] .nsewdrag").first  # not the one of the view before
    expect(plot).to_be_visible()
    still(page)
    plot.scroll_into_view_if_needed()
    place = plot.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 10, place["y"] + 10)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2, steps=6)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"pick=box"))
    expect(page.get_by_role("button", name="Selected: a part of the map of cases")).to_be_visible()


@pytest.mark.parametrize(("width", "height", "scheme", "share"), axe.WINDOWS)
def test_every_view_fits_and_is_accessible(
    visit: Visit, width: int, height: int, scheme: str, share: slice
) -> None:
    visitor = _open(visit, "/errors?of=all", width=width, height=height, scheme=scheme)
    page = visitor.page
    problems: dict[str, list[str]] = {}
    for view in list(VIEWS)[share]:
        if width > 640:
            page.get_by_role("radio", name=VIEWS[view].title, exact=True).click()
        else:
            page.get_by_role("combobox", name="View", exact=True).click()
            page.get_by_role("option", name=VIEWS[view].title, exact=True).click()
        if view != "findings":
            expect(page).to_have_url(re.compile(rf"part={view}"))
        still(page)
        expect(page.locator("h2, .ld-empty").first).to_be_visible()
        assert (over := overflow(page)) <= 0, f"{view} is {over} px too wide"
        if violations := axe.grave_violations(page):
            problems[view] = violations
    assert problems == {}
    visitor.unharmed()


def test_rows_are_tagged_by_key_from_class_to_case_to_case(visit: Visit) -> None:
    """From a class's cases to its row; t asks for initials, a digit tags; j goes on, to the same row of the next case."""
    visitor = _open(visit, "/errors?of=all&part=classes")
    page = visitor.page
    page.locator("table.ld-links a").first.click()
    expect(page).to_have_url(re.compile(r"/\?cases="))
    page.locator("tbody tr a").first.click()
    row = page.locator("tr.row.focus")
    expect(row.locator(".name")).to_be_focused()
    still(page)
    page.keyboard.press("t")
    chooser = page.get_by_role("dialog", name=re.compile("^Tag "))
    initials = chooser.get_by_label("Your initials")
    expect(initials).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    expect(chooser.get_by_role("alert")).to_contain_text("Write your initials first")
    assert axe.grave_violations(page) == []
    page.keyboard.type("AB")
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    expect(row.locator(".tagged").first).to_contain_text("Missed chronic drug")
    page.reload()
    expect(row.locator(".tagged").first).to_contain_text("Missed chronic drug")
    still(page)
    patient = re.search(r"patient=\d+", page.url)
    assert patient
    page.keyboard.press("j")
    expect(page).not_to_have_url(re.compile(rf"{patient[0]}\b"))
    expect(row.locator(".name")).to_be_focused()
    expect(row.locator(".tagged")).to_have_count(0)
    still(page)
    page.keyboard.press("t")
    expect(initials).to_have_value("AB")
    page.keyboard.press("0")
    expect(row.locator(".tagged").first).to_contain_text("No error")
    page.goto(f"{visitor.base}/errors?of=all&part=notes&view=research")
    expect(page.get_by_text(re.compile(r"^\d answers in 2 cases, by 1 annotator"))).to_be_visible()
    visitor.unharmed()
