"""A case in a real browser: Back and Forward, the keyboard alone, deciding first, comparing, the tour, two people at once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.steps import rows, search_from_keyboard

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
LIST = "/?sort=-visits&visits=returning"
MOST_TABS = 60


def _patient(page: Page) -> str:
    return re.search(r"patient=(\d+)", page.url)[1]  # type: ignore[index]


def _on_case(page: Page, patient: str) -> None:
    expect(page).to_have_url(re.compile(rf"/case\?patient={patient}\b"))
    expect(page.get_by_role("heading", level=1, name=f"Patient {patient}", exact=True)).to_be_visible()


def _step(page: Page, key: str, button: str, patient: str) -> None:
    """Go to a case by key."""
    expect(page.get_by_role("button", name=button, exact=True)).to_be_enabled()
    page.keyboard.press(key)
    _on_case(page, patient)


def test_back_and_forward_bring_the_views_back(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("/")
    page.get_by_role("radio", name="2 or more").click()
    expect(page).to_have_url(re.compile(r"visits=returning"))
    expect(page.locator("table.worklist tbody tr").first.locator("[data-label=Visits]")).not_to_have_text("1")
    rows(page).first.click()
    expect(page).to_have_url(re.compile(r"/case\?patient=\d+"))
    first = _patient(page)
    _on_case(page, first)
    expect(page.locator(".st-key-metrics-student")).to_be_visible()
    slider = page.get_by_role("slider", name="Student cut-off")
    slider.focus()
    page.keyboard.press("PageUp")
    expect(page).to_have_url(re.compile(r"student_cut="))
    cut = re.search(r"student_cut=([\d.]+)", page.url)[1]  # type: ignore[index]
    page.get_by_role("button", name="Next").click()
    expect(page).not_to_have_url(re.compile(rf"patient={first}\b"))
    _on_case(page, _patient(page))
    page.go_back()
    _on_case(page, first)
    expect(page).to_have_url(re.compile(rf"student_cut={cut}"))
    page.go_back()
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()
    expect(page).to_have_url(re.compile(r"visits=returning"))
    expect(page.get_by_role("radio", name="2 or more")).to_be_checked()
    page.go_forward()
    _on_case(page, first)
    expect(page).to_have_url(re.compile(rf"student_cut={cut}"))
    expect(page.get_by_role("slider", name="Student cut-off")).to_have_value(re.compile(f"{float(cut):g}"))
    visitor.unharmed()


def test_the_keyboard_alone(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open(LIST)
    expect(rows(page).nth(2)).to_be_visible()
    head = page.locator("table.worklist thead th", has_text="Visits")
    expect(head).to_have_attribute("aria-sort", "descending")  # as the link has it
    names = rows(page).all_inner_texts()
    expect(page.get_by_role("button", name="Help", exact=True)).to_be_visible()
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows(page).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    _on_case(page, names[1])
    _step(page, "j", "Next", names[2])
    _step(page, "k", "Previous", names[1])
    help_box = page.get_by_role("dialog", name="Help")
    page.keyboard.press("?")
    expect(help_box).to_be_visible()
    page.keyboard.press("j")  # the help is open: nothing moves behind it
    page.keyboard.press("Escape")
    expect(help_box).to_be_hidden()
    _on_case(page, names[1])
    expect(page.locator(".st-key-metrics-student")).to_be_visible()
    search = page.get_by_label("Find a class or drug in this table")
    expect(search).to_be_visible()
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.type("jk?/")  # typing is only typing
    expect(search).to_have_value("jk?/")
    _on_case(page, names[1])
    expect(help_box).to_be_hidden()

    visitor.go(LIST)
    search_from_keyboard(page, names[2])
    expect(page.get_by_text(re.compile(f"^1 patient · .*search “{names[2]}”"))).to_be_visible()
    expect(rows(page)).to_have_text([names[2]])
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if rows(page).first.evaluate("row => row.getRootNode().activeElement === row"):
            break
    page.keyboard.press("Enter")
    _on_case(page, names[2])
    assert names[2] not in page.url.removeprefix(visitor.base).replace(f"patient={names[2]}", "")
    visitor.unharmed()


def test_deciding_first_hides_until_it_is_revealed_and_a_pinned_case_is_compared(visit: Visit) -> None:
    """What is chosen and pinned is one's own; the link of a comparison opens it for others."""
    visitor = visit()
    page = visitor.page
    visitor.open(LIST)
    first = rows(page).first.inner_text()
    rows(page).first.click()
    page.get_by_role("radio", name="Decide first").click()
    expect(page).to_have_url(re.compile(r"show=decide"))
    expect(page.locator("td.score")).to_have_count(0)
    expect(page.locator(".st-key-metrics-teacher")).to_have_count(0)
    page.get_by_role("combobox", name="Find a drug or a class").fill("metoprolol")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 class chosen")).to_be_visible()
    page.get_by_role("combobox", name="Find a drug or a class").fill("opioids")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 classes chosen")).to_be_visible()
    expect(page.get_by_role("button", name="Take off")).to_have_text(["metoprolol×", "Opioids×"])
    assert "C07A" not in page.url

    friend = visit(width=390, height=844)
    friend.page.goto(page.url)
    expect(friend.page.get_by_text("0 classes chosen")).to_be_visible()

    page.get_by_role("button", name="Reveal the models").click()
    board = page.get_by_role("region", name="Metrics together")
    expect(board.get_by_role("rowheader", name="You")).to_be_visible()
    expect(page.locator("td.own .yes")).to_have_count(2)
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.get_by_role("button", name="Unpin")).to_be_visible()
    expect(friend.page.get_by_text("0 classes chosen")).to_be_visible()
    expect(friend.page.get_by_role("button", name="Pin", exact=True)).to_be_visible()

    page.get_by_role("radio", name="Show everything").click()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name=f"Compare with {first}").click()
    expect(page.get_by_role("heading", name="What differs")).to_be_visible()
    expect(page.locator(".ld-changes").first).to_be_visible()
    expect(page).to_have_url(re.compile(rf"beside={first}-\d+"))
    friend.page.goto(page.url)
    expect(friend.page.get_by_role("heading", level=2, name=f"Patient {first}", exact=True)).to_be_visible()
    expect(friend.page.locator(".ld-changes").first).to_be_visible()
    page.get_by_role("button", name="Leave the comparison").click()
    expect(page.get_by_role("heading", name="What differs")).to_have_count(0)
    visitor.unharmed()
    friend.unharmed()


def test_the_tour_is_offered_once_shown_in_five_steps_and_resumed(visit: Visit) -> None:
    """On a telephone; on a wide screen the tour stands in other journeys."""
    visitor = visit(width=390, height=844)
    page = visitor.page
    visitor.open("/")
    page.get_by_role("button", name="Take the tour").click()
    card = page.get_by_role("dialog", name="A patient at the moment of ordering")
    expect(card).to_be_visible()
    expect(page).to_have_url(re.compile(r"patient=\d+.*tour=1"))
    expect(page.locator(".st-key-cards_classes .ld-item").first).to_be_visible()
    expect(page.get_by_text("could not read all")).to_have_count(0)
    for step in range(2, 6):
        page.get_by_role("dialog").get_by_role("button", name="Next").click()
        expect(page.get_by_text(f"Step {step} of 5", exact=True)).to_be_visible()
        expect(page).to_have_url(re.compile(rf"tour={step}\b"))
        expect(page.locator(".ld-tour-panel")).to_have_count(1)
        expect(page.get_by_role("dialog").get_by_role("heading")).to_be_focused()
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(page.get_by_text("Step 4 of 5", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("Step 4 of 5", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Step 4 of 5", exact=True)).to_be_hidden()
    expect(page.locator(".ld-tour-panel")).to_have_count(0)
    assert "tour=" not in page.url
    visitor.go("/")
    expect(rows(page).first).to_be_visible()
    expect(page.get_by_role("button", name="Take the tour")).to_have_count(0)
    resume = page.get_by_role("button", name="Resume at step 4")
    expect(page.get_by_role("button", name="Help", exact=True)).to_be_visible()
    page.keyboard.press("?")
    resume.click()
    expect(page.get_by_text("Step 4 of 5", exact=True)).to_be_visible()
    visitor.unharmed()
