"""What people do, in a real browser on real models: sort, find a patient, move a cut-off, share a link."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.steps import both_scored, class_count

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]


def _sorted_by_age(page: Page) -> None:
    """A heading sorts, from the first page on, and the order is in the link."""
    head = page.locator("table.worklist thead th", has_text="Age")
    for order, url in (
        ("descending", r"\?sort=-age&view=research$"),
        ("ascending", r"\?sort=age&view=research$"),
    ):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", order)
        expect(page).to_have_url(re.compile(url))
        ages = page.locator("table.worklist tbody [data-label=Age]").all_inner_texts()
        assert len(ages) == 25
        assert list(map(int, ages)) == sorted(map(int, ages), reverse=order == "descending")


def test_from_the_worklist_to_a_cut_off_and_a_shared_link(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("/?page=2")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(25)
    _sorted_by_age(page)

    page.get_by_placeholder("Diagnosis, procedure, drug, code or patient number").fill("pneumonia")
    expect(page.get_by_text(re.compile(r"^[\d,]+ patients? · search “pneumonia”$"))).to_be_visible()
    assert "pneumonia" not in page.url
    rows.first.locator("a").click()

    expect(page).to_have_url(re.compile(r"/case\?patient=\d+"))
    patient = re.search(r"patient=(\d+)", page.url)[1]  # type: ignore[index]
    expect(page.get_by_role("heading", name=f"Patient {patient}")).to_be_visible()
    assert "pneumonia" not in page.url
    expect(page.get_by_text("no dose, route or timing")).to_be_visible()
    both_scored(page)

    before = class_count(page, "teacher").inner_text()
    slider = page.get_by_role("slider", name="Teacher cut-off")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    cut = slider.input_value()
    expect(page).to_have_url(re.compile(rf"teacher_cut={float(cut):.3g}\b"))  # the link follows the last step
    expect(class_count(page, "teacher")).not_to_have_text(before)
    page.get_by_role("tab", name="Trust").click()
    trust = page.get_by_role("tabpanel", name="Trust")
    expect(trust).to_contain_text("How far to trust these scores")
    expect(page).to_have_url(re.compile(r"\btab=trust\b"))
    visitor.settled()

    friend = visit()
    friend.page.goto(page.url)
    expect(friend.page.get_by_role("heading", name=f"Patient {patient}")).to_be_visible()
    expect(friend.page.get_by_role("slider", name="Teacher cut-off")).to_have_value(cut)
    expect(friend.page.get_by_role("tabpanel", name="Trust")).to_contain_text("How far to trust")
    friend.settled()
