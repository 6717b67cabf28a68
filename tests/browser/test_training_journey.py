"""Train a student from the page in a real browser and look at a case with it; `make soak` also cancels one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.steps import still

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
SLOW = 400_000  # ms; a training gives way to everything else on the machine


def ask(page: Page, epochs: int, seed: int) -> None:
    """The published settings: they read no titles, which takes longest on a small cohort."""
    published = page.get_by_role("radio", name="As published (paper)")
    published.click()
    expect(published).to_be_checked()
    still(page)  # the choice draws the form again
    for label, value in (("Epochs at most", epochs), ("Seed", seed)):
        field = page.get_by_label(label, exact=True)
        field.fill(str(value))
        field.press("Enter")
        still(page)
        expect(field).to_have_value(str(value))
    page.get_by_role("button", name="Start training").click()


def test_train_use_and_leave_a_student(visit: Visit) -> None:
    visitor = visit()
    visitor.open("/models?model=training")
    page = visitor.page
    ask(page, 1, 701)
    expect(page.get_by_text("Elapsed")).to_be_visible()
    trained = page.locator("[class*=st-key-run-]").filter(has_text="paper, seed 701")
    expect(trained.get_by_text("✓ Finished")).to_be_visible(timeout=SLOW)
    expect(trained.get_by_role("cell", name="PRAUC", exact=True)).to_be_visible()
    trained.get_by_role("button", name="Use this student").click()
    named = page.get_by_text("“paper, seed 701”, trained here, ready")
    expect(named).to_be_visible()
    page.get_by_role("link", name="Patients").first.click()
    page.locator("tbody tr").first.locator("a").click()
    expect(page).to_have_url(re.compile(r"/case\?.*student=[0-9a-f]{12}"))
    expect(named).to_be_visible()
    fresh = visit()
    fresh.page.goto(page.url)  # a copied link names the same student
    expect(fresh.page.get_by_text("“paper, seed 701”, trained here, ready")).to_be_visible()
    visitor.unharmed()


@pytest.mark.soak
def test_a_second_tab_sees_a_training_and_cancels_it(visit: Visit) -> None:
    visitor = visit()
    visitor.open("/models?model=training")
    page = visitor.page
    ask(page, 500, 702)
    expect(page.get_by_text("best so far")).to_be_visible(timeout=SLOW)
    other = visit()
    other.open("/models?model=training")
    expect(other.page.get_by_text("Elapsed")).to_be_visible()  # a second tab sees the same run
    other.page.get_by_role("button", name="Cancel").click()
    stopped = page.locator("[class*=st-key-run-]").filter(has_text="paper, seed 702")
    expect(stopped.get_by_text("Canceled")).to_be_visible()
    for each in (visitor, other):
        each.unharmed()
