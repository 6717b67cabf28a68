"""What changed the teacher's score, marked in the prompt that it read: requested, watched, stopped, reopened."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.steps import overflow

pytestmark = pytest.mark.browser


def test_the_prompt_is_marked_on_request_and_a_link_shows_the_marks_again(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("/?visits=first&sort=diagnoses")
    visitor.settled()
    patient = page.locator("table.worklist tbody th a").first.inner_text()
    visitor.go(f"/prompt?patient={patient}")
    text = page.locator("pre.ld-prompt")
    expect(text).to_be_visible()
    read = text.inner_text()
    page.get_by_role("radio", name="What changed a score").click()
    box = page.get_by_role("combobox", name="Class to explain")
    box.click()
    box.fill("Beta blockers")
    page.get_by_role("option").first.click()
    marks = page.locator("pre.ld-prompt .ld-sal")
    stop = page.get_by_role("button", name="Stop", exact=True)
    again = page.get_by_role("button", name="Explain again", exact=True)
    expect(stop.or_(marks).first).to_be_visible()
    if stop.is_visible():  # a quick machine is done before anybody can stop it
        stop.click()
        expect(again.or_(marks).first).to_be_visible()
        if again.is_visible():
            again.click()
    expect(marks.first).to_be_visible()
    assert text.inner_text() == read, "the very text that the teacher reads"
    expect(page.get_by_text("A prompt of average words scores")).to_be_visible()
    page.get_by_text("How exact this is").click()
    expect(page.get_by_text("The shares add up")).to_be_visible()
    expect(marks.first).to_have_attribute("title", re.compile(r"^[+−]\d\.\d\d log-odds$"))
    expect(page).to_have_url(re.compile("mode=salience.*explain=C07A"))
    first = marks.first.inner_text(), marks.count()

    other = visit(width=390, height=844)
    other.page.goto(page.url)
    shown = other.page.locator("pre.ld-prompt .ld-sal")
    expect(shown.first).to_be_visible()
    assert (shown.first.inner_text(), shown.count()) == first
    assert (over := overflow(other.page)) <= 0, f"{over} px too wide"
    for each in (visitor, other):
        each.unharmed()
