"""A clinician's five minutes: list, case, card, reason, full list, the research view and back, and a link to one class."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.steps import both_scored, overflow, rows

pytestmark = pytest.mark.browser

DRAW_AGAIN = """() => {
    const drawn = document.querySelector(".ld-items").closest(".stHtml");
    drawn.innerHTML = drawn.innerHTML.replaceAll(' open=""', "");
}"""
"""Draws the cards as the server does when the reasons arrive: everything folded."""


def test_a_clinicians_five_minutes(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("/?split=test&visits=returning", research=False)
    rows(page).first.click()
    banner = page.locator(".st-key-banner")
    expect(banner.get_by_role("heading", level=1)).to_contain_text("Patient")
    for words in ("years", "Problems", "Allergies", "Ordered now"):
        expect(banner).to_contain_text(words)
    expect(page.get_by_role("heading", name="Stop and think")).to_be_visible()
    card = page.locator("section.ld-card", has_text="Ordered, neither model suggests").first
    expect(card).to_be_visible()
    expect(page.locator(".ld-summary")).to_contain_text("“Points to it”")  # the reasons are read
    item = page.locator(".ld-item").first
    expect(item).to_contain_text(re.compile("Points to it|No single thing"))
    item.locator("summary").click()
    expect(item.locator("dl")).to_contain_text("validation")
    page.evaluate(DRAW_AGAIN)
    expect(item.locator("details")).to_have_attribute("open", "")
    page.locator(".ld-areas tbody").last.scroll_into_view_if_needed()
    expect(page.locator(".ld-areas")).to_contain_text("suggests")
    assert (box := banner.bounding_box()) is not None and 0 <= box["y"] < 80, "the banner stays in sight"
    heads = page.locator(".ld-areas thead th").first.bounding_box()
    assert heads is not None and abs(heads["y"] - box["y"] - box["height"]) < 12, (
        "and the heads of columns below it"
    )
    main = page.locator("[data-testid=stMain]").inner_text()
    assert not [word for word in ("Jaccard", "F1", "cut-off", "prescri") if word in main]
    code = re.search(r"class-(\w+)", page.locator(".ld-item").last.get_attribute("id") or "")
    assert code is not None

    page.get_by_role("radio", name="Research view").click()
    both_scored(page)
    expect(page).to_have_url(re.compile("view=research"))
    expect(page.get_by_role("button", name="Glossary")).to_be_visible()
    page.get_by_role("radio", name="Clinician's view").click()
    expect(page.locator(".ld-summary")).to_be_visible()
    expect(page).not_to_have_url(re.compile("view="))
    visitor.settled()

    page.set_viewport_size({"width": 390, "height": 844})
    path = page.url.removeprefix(visitor.base)
    visitor.open(f"{path}&focus={code[1]}", research=False)
    marked = page.locator(".ld-item.ld-focus")
    expect(marked).to_be_in_viewport()
    expect(marked.locator("dl")).to_be_visible()
    assert (box := banner.bounding_box()) is not None and box["height"] < 844 / 4
    assert overflow(page) <= 0
    visitor.unharmed()
