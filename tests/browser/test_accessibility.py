"""axe-core over every page and every way to look at a case: no serious or critical violation, wide and narrow, light and dark.

The error analysis' views are looked at where there are scores for them, in `test_errors_journey`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.conftest import Visitor
from tests.browser.steps import both_scored, rows

pytestmark = pytest.mark.browser

BUNDLE = Path(__file__).parents[1] / "data" / "fhir_bundle.json"


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_axe_finds_nothing_grave_on_any_page(
    visit: Callable[..., Visitor], width: int, height: int, scheme: str
) -> None:
    """Each page is drawn in one scheme and looked at in both."""
    visitor = visit(width=width, height=height, scheme=scheme)
    page = visitor.page
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        if grave := axe.grave(page):
            found[name] = grave

    visitor.open("/?split=test&visits=returning")
    expect(rows(page).nth(1)).to_be_visible()
    one, two = rows(page).all_inner_texts()[:2]
    look("patients, with the tour's offer")
    page.get_by_role("button", name="More filters").click()
    expect(page.get_by_text("Diagnosis chapter", exact=True)).to_be_visible()
    look("more filters")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    look("help")
    for path, there in (
        (f"case?patient={one}&tour=2", ".st-key-metrics-teacher"),
        (f"case?patient={two}&beside={one}-1", ".ld-changes"),
        (f"case?patient={two}&show=decide", "fieldset"),
        (f"interactions?patient={one}", ".st-key-pair_card"),
        (f"interactions?patient={one}&view=safer", ".ld-safer-metrics"),
        (f"interactions?patient={one}&view=matrix", ".js-plotly-plot"),
        (f"prompt?patient={one}&published=1", ".ld-prompt"),
        (f"prompt?patient={one}&mode=edit", "textarea"),
        ("errors", ".ld-empty"),
        ("models", ".ld-facts"),
        ("models?model=student", ".js-plotly-plot"),
        ("models?model=training", ".st-key-train_start"),
        ("case?patient=999999999", "[data-testid=stAlert]"),
    ):
        visitor.page.goto(f"{visitor.base}/{path}")
        expect(page.locator(there).first).to_be_visible()
        look(path.split("?")[0] + " " + there)
    _new_case(visitor, look)
    _asides(visitor, one, look)
    assert found == {}
    assert page.evaluate("document.documentElement.lang") == "en"


def _new_case(visitor: Visitor, look: Callable[[str], None]) -> None:
    """New case with a file read, what was left out of it listed, and the case submitted."""
    page = visitor.page
    visitor.open("/new")
    page.get_by_text("From a file, a list or a saved variant").click()
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(BUNDLE)
    expect(page.get_by_text("Read fhir_bundle.json: 3 visits.")).to_be_visible()
    look("new, with a file read")
    page.get_by_role("button", name="Recommend", exact=True).click()
    both_scored(page)
    expect(page.get_by_text("Nothing scored yet")).to_have_count(0)
    look("new, submitted")


def _asides(visitor: Visitor, patient: str, look: Callable[[str], None]) -> None:
    """What stands in tabs beside the scores."""
    page = visitor.page
    visitor.open(f"/case?patient={patient}")
    both_scored(page)
    for name, head in (
        ("Similar", "Similar training patients"),
        ("Trust", "How far to trust these scores"),
        ("Notes", "Notes and tags"),
    ):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel", name=name)).to_contain_text(head)
        look(f"case, {name}")
