"""Every page and every way to look at a case: complete, no wider than the window, and without a serious or critical violation
of axe-core. `axe.WINDOWS` says which page is checked in which window.

The error analysis' views are checked where there are scores for them, in `test_errors_journey`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import Visitor
from tests.browser.steps import both_scored, overflow, rows

pytestmark = pytest.mark.browser

BUNDLE = Path(__file__).parents[1] / "data" / "fhir_bundle.json"
Check = Callable[[str], None]
TEXT = {"light": "rgb(22, 32, 43)", "dark": "rgb(230, 235, 240)"}


def _charts_follow(page: Page, scheme: str) -> None:
    """Text of page and charts has the colours of the scheme, also when it changes under them."""
    for name in sorted(TEXT, key=lambda name: name == scheme):
        page.emulate_media(color_scheme=name)  # type: ignore[arg-type]
        expect(page.locator(".js-plotly-plot text").first).to_have_css("fill", TEXT[name])
        expect(page.get_by_role("heading", level=1)).to_have_css("color", TEXT[name])


def _leads_back(page: Page, _: str) -> None:
    page.get_by_role("link", name="Go to the worklist").click()
    expect(page.get_by_role("heading", name="Patients")).to_be_visible()


PAGES: tuple[tuple[str, str], ...] = (
    # And what is there once the page stands. Every second one is checked wide, the others narrow. In no window do two of
    # one page and case follow each other: a link is read on entering.
    ("case?patient={one}&tour=2", ".st-key-metrics-teacher"),
    ("interactions?patient={one}", ".ld-alert"),
    ("interactions?check=1", "textarea"),
    ("case?patient={two}&beside={one}-1", ".ld-changes"),
    ("prompt?patient={one}&mode=edit", "textarea"),
    ("interactions?patient={one}&part=matrix", ".js-plotly-plot"),
    ("models", ".ld-facts"),
    ("prompt?patient={one}&mode=published", ".ld-prompt"),
    ("interactions?patient={one}&part=safer", ".ld-safer-metrics"),
    ("models?model=student", ".js-plotly-plot"),
    ("case?patient={two}&show=decide", "fieldset"),
    ("errors", ".ld-empty"),
    ("models?model=training", ".st-key-train_start"),
    ("case?patient=999999999", "[data-testid=stAlert]"),
)
ALSO = {"models?model=student": _charts_follow, "case?patient=999999999": _leads_back}


@pytest.mark.parametrize(("width", "height", "scheme", "share"), axe.WINDOWS)
def test_every_page_opens_complete_fits_and_is_accessible(
    visit: Callable[..., Visitor], width: int, height: int, scheme: str, share: slice
) -> None:
    visitor = visit(width=width, height=height, scheme=scheme)
    page = visitor.page
    problems: dict[str, list[str]] = {}

    def check(name: str) -> None:
        if violations := axe.grave_violations(page):
            problems[name] = violations
        assert (over := overflow(page)) <= 0, f"{name} is {over} px too wide"
        visitor.unharmed()

    visitor.open("/?split=test&visits=returning")
    expect(rows(page).nth(1)).to_be_visible()
    one, two = rows(page).all_inner_texts()[:2]
    for flow in [_patients, _case_tabs][share]:
        flow(visitor, one, check)
    for path, there in PAGES[share]:
        visitor.go("/" + path.format(one=one, two=two))
        expect(page.locator(there).first).to_be_visible()
        check(f"{path} {there}")
        if path in ALSO:
            ALSO[path](page, scheme)
    for flow in [_new_case, _clinicians_view][share]:
        flow(visitor, one, check)
    visitor.settled()
    assert problems == {}
    assert page.evaluate("document.documentElement.lang") == "en"


def _patients(visitor: Visitor, _: str, check: Check) -> None:
    """The worklist with the tour's offer, all its filters, and the help."""
    page = visitor.page
    expect(page.get_by_role("button", name="Take the tour")).to_be_visible()
    check("patients, with the tour's offer")
    page.get_by_role("button", name="More filters").click()
    expect(page.get_by_text("Diagnosis chapter", exact=True)).to_be_visible()
    check("more filters")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    check("help")
    page.keyboard.press("Escape")


def _clinicians_view(visitor: Visitor, patient: str, check: Check) -> None:
    """A case as a clinician sees it, one class open."""
    page = visitor.page
    visitor.go(f"/case?patient={patient}&show=all&view=clinician", research=False)
    expect(page.locator(".ld-summary")).to_contain_text("Points to it")
    page.locator(".ld-item summary").first.click()
    check("case, clinician's view")


def _new_case(visitor: Visitor, _: str, check: Check) -> None:
    """New case with a file read, what was left out of it listed, and the case submitted."""
    page = visitor.page
    visitor.go("/new")
    page.get_by_text("From a file, a list or a saved variant").click()
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(BUNDLE)
    expect(page.get_by_text("Read fhir_bundle.json: 3 visits.")).to_be_visible()
    check("new, with a file read")
    page.get_by_role("button", name="Recommend", exact=True).click()
    both_scored(page)
    expect(page.get_by_text("Nothing scored yet")).to_have_count(0)
    check("new, submitted")


def _case_tabs(visitor: Visitor, patient: str, check: Check) -> None:
    """What stands in tabs next to the scores."""
    page = visitor.page
    visitor.go(f"/case?patient={patient}")
    both_scored(page)
    for name, head in (
        ("Similar", "Similar training patients"),
        ("Trust", "How far to trust these scores"),
        ("Notes", "stored apart from the cohort"),
    ):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel", name=name)).to_contain_text(head)
        check(f"case, {name}")
