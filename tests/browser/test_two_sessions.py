"""Two people at once: stars and notes of both are stored, on one case and on two, and each sees the other's after a reload."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visitor
from tests.browser.steps import rows

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
LIST = "/?sort=-patient_id&split=test"


def _begin(page: Page, text: str, author: str) -> Locator:
    """Write a note without saving it; gives the button that does."""
    page.get_by_role("button", name="Write a note").click()
    page.get_by_label("Note", exact=True).fill(text)
    page.get_by_label("Your name or initials").fill(author)
    return page.get_by_role("button", name="Save", exact=True)


def _notes(page: Page) -> Locator:
    return page.locator(".ld-written")


def _open(visitor: Visitor, patient: str) -> None:
    visitor.go(f"/case?patient={patient}&tab=notes")
    button = visitor.page.get_by_role("button", name="Write a note")
    expect(button).to_have_count(1)  # while a run replaces the panel, the earlier one is still on the page
    expect(button).to_be_visible()


def test_two_people_write_at_once_and_lose_nothing(visit: Visit) -> None:
    one, two = visit(), visit()
    for person in (one, two):
        person.open(LIST)
        expect(rows(person.page).nth(1)).to_be_visible()
    same, other = rows(one.page).all_inner_texts()[:2]

    for person in (one, two):  # the same case: both write before either saves
        _open(person, same)
    buttons = [_begin(person.page, f"Seen by {name}", name) for person, name in ((one, "AB"), (two, "CD"))]
    for button in buttons:
        button.click(no_wait_after=True)
    expect(_notes(one.page).filter(has_text="Seen by AB")).to_have_count(1)
    expect(_notes(two.page).filter(has_text="Seen by CD")).to_have_count(1)
    for person in (one, two):
        person.page.reload()
        expect(_notes(person.page)).to_have_count(2)
        for name in ("AB", "CD"):
            expect(_notes(person.page).filter(has_text=f"Seen by {name}")).to_contain_text(name)

    _open(two, other)  # different cases: a star of one, a note of the other
    one.page.get_by_role("button", name="Star", exact=True).click(no_wait_after=True)
    _begin(two.page, "Only here", "CD").click()
    expect(one.page.get_by_role("button", name="Starred")).to_be_visible()
    expect(_notes(two.page)).to_have_count(1)
    _open(one, other)
    expect(_notes(one.page)).to_contain_text("Only here")
    _open(two, same)
    expect(two.page.get_by_role("button", name="Starred")).to_be_visible()

    _open(one, same)
    _edit_the_same_note(one, two)
    one.go(LIST)
    row = one.page.locator("table.worklist tbody tr", has_text=same)
    expect(row).to_contain_text("★ 2 notes")
    expect(one.page.locator("table.worklist tbody tr", has_text=other)).to_contain_text("1 note")
    for person in (one, two):
        person.unharmed()


def _edit_the_same_note(one: Visitor, two: Visitor) -> None:
    """Both edit one note: the first to save stands, the second gets a message, and its words are stored with it."""
    for page in (one.page, two.page):
        expect(_notes(page)).to_have_count(2)
        place = [text.find("Seen by AB") >= 0 for text in _notes(page).all_inner_texts()].index(True)
        page.get_by_role("button", name="Edit", exact=True).nth(place).click()
        expect(page.get_by_label("Note", exact=True)).to_have_value("Seen by AB")
    one.page.get_by_label("Note", exact=True).fill("Seen by AB, twice")
    one.page.get_by_role("button", name="Save", exact=True).click()
    expect(_notes(one.page).filter(has_text="twice")).to_have_count(1)
    two.page.get_by_label("Note", exact=True).fill("Seen by CD as well")
    two.page.get_by_role("button", name="Save", exact=True).click()
    expect(_notes(two.page).filter(has_text="twice")).to_contain_text("1 late edit")
    expect(
        two.page.get_by_text(re.compile("^This note was changed by .* while you were editing it"))
    ).to_be_visible()
