"""Alerts in a real browser: the same numbers wherever they stand, none red without reason, and what to do about one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visitor
from tests.browser.steps import add_code, both_scored, rows, search_from_keyboard, still

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
ORDERED = "With the drugs ordered"


def _section(page: Page, heading: str) -> Locator:
    """A part of the list of alerts."""
    return page.locator(".ld-alert-section", has=page.get_by_role("heading", name=re.compile(heading)))


def _counts(page: Page) -> str:
    """The number of alerts of the drugs ordered, in words."""
    return _section(page, ORDERED).locator(".ld-alert-counts").inner_text().lower()


def _scores(page: Page) -> list[str]:
    """The scores in the table of classes, as text."""
    still(page)
    return page.locator("td.score").all_inner_texts()


def test_one_patient_has_the_same_alerts_everywhere(visit: Visit, tmp_path: Path) -> None:
    """The tour's patient: case page, Interactions, graph, structures, safer set and report."""
    visitor = visit()
    page = visitor.page
    visitor.open("/case?tour=4")
    expect(page).to_have_url(re.compile(r"patient=\d+"))
    visitor.settled()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile(r"tour="))
    page.get_by_role("radio", name="Research view").click()
    both_scored(page)
    visitor.settled()
    counts = _counts(page)
    assert re.match(r"\d+ (contraindicated|major|moderate|minor)", counts)
    page.get_by_role("radio", name="Ordered", exact=True).click()
    expect(page.locator(".ld-alert-section")).to_have_count(1)
    assert _counts(page) == counts

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as coming:
        page.get_by_role("button", name="(JSON)").click()
    coming.value.save_as(tmp_path / "report.json")
    record = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert record["alert_counts"]["ordered"] == counts

    page.keyboard.press("Escape")
    page.get_by_role("link", name="All alerts, graph and safer set").click()
    expect(page).to_have_url(re.compile(r"/interactions\?.*set=prescribed"))
    assert _counts(page) == counts
    alert = page.locator("li.ld-alert").first
    expect(alert.get_by_text("What to do")).to_be_visible()
    expect(alert.get_by_text("Source", exact=True)).to_be_hidden()
    alert.get_by_text("Why, and source").click()
    expect(alert.get_by_text("Source", exact=True)).to_be_visible()

    page.get_by_role("radio", name="Safer set").click()
    expect(page.get_by_text(f"Before: {counts}.", exact=False)).to_be_visible()
    page.get_by_role("spinbutton", name="Major alerts, at most").fill("0")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("major=0"))
    expect(page.locator(".ld-staying .ld-code").first).to_be_visible()
    page.get_by_role("radio", name="Structures").click()
    expect(page.locator(".ld-structure img")).to_have_count(2)

    patient = re.search(r"patient=(\d+)", page.url)[1]  # type: ignore[index]
    visitor.go("/")
    expect(rows(page).nth(1)).to_be_visible()
    search_from_keyboard(page, patient)
    row = page.locator("table.worklist tbody tr", has=page.get_by_role("link", name=patient, exact=True))
    expect(row).to_have_count(1)  # the number may begin other numbers too
    severe = [part for part in counts.split(", ") if part.endswith(("contraindicated", "major"))]
    cell = row.locator("[data-label='Severe alerts']")
    expect(cell).to_have_text(", ".join(severe) or "none")
    visitor.settled()


def test_a_typed_case_shows_no_false_red_and_its_drugs_are_checked(visit: Visit) -> None:
    """Atrial fibrillation, heart failure and kidney injury; then nafcillin under a penicillin allergy; then a checker.

    What is typed gets both recommendations, and after a change what differs from those before.
    """
    visitor = visit()
    page = visitor.page
    visitor.open("/new")
    recommend = page.get_by_role("button", name="Recommend", exact=True)
    expect(recommend).to_be_disabled()
    for words in ("atrial fibrillation", "heart failure", "acute kidney failure"):
        add_code(page, "Diagnoses", words)
    recommend.click()
    both_scored(page)
    expect(page.get_by_text("First visit: nothing earlier is known")).to_be_visible()
    expect(_section(page, "If you choose")).to_be_visible()
    expect(page.locator("li.ld-alert.contraindicated")).to_have_count(0)
    before = _scores(page)

    add_code(page, "Diagnoses", "allergy to penicillin")
    add_code(page, "Diagnoses", "pneumonia")
    expect(page.get_by_text("Edited since it was scored.")).to_be_visible()
    page.get_by_role("textbox", name="Drugs ordered or planned").fill(
        "Nafcillin 2 g IV; amiodarone; Tikosyn; nosuchdrug"
    )
    page.keyboard.press("Tab")
    recommend.click()
    ordered = _section(page, ORDERED)
    expect(ordered.locator("strong", has_text="nafcillin in penicillin allergy")).to_be_visible()
    expect(ordered.locator("strong", has_text="amiodarone with dofetilide")).to_be_visible()
    expect(page.get_by_text("“nosuchdrug”").first).to_be_visible()
    expect(page.get_by_text("Edited since it was scored.")).to_have_count(0)
    expect(page.get_by_text("Against what you submitted before")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^Added: .*pneumonia", re.IGNORECASE))).to_be_visible()
    both_scored(page)
    assert _scores(page) != before
    page.get_by_text("scores that changed").first.click()
    changed = page.get_by_role("cell", name=re.compile("^([+] added|− removed|rescored)$"))
    expect(changed.first).to_be_visible()
    assert not [word for word in ("Nafcillin", "ICD") if word in page.url]

    visitor.go("/interactions?check=1")
    page.get_by_role("textbox", name="Drugs, one a line").fill(
        "Coumadin 5 mg PO daily\nfluconazole IV, nosuchdrug"
    )
    page.get_by_role("textbox", name="Conditions").fill("K92.2")
    page.get_by_role("button", name="Check", exact=True).click()
    checked = _section(page, "With these drugs")
    expect(checked.locator("strong", has_text="fluconazole with warfarin")).to_be_visible()
    expect(checked.locator("strong", has_text="warfarin in gastrointestinal bleeding")).to_be_visible()
    expect(page.get_by_text("“nosuchdrug”").first).to_be_visible()
    assert page.url.endswith("/interactions?check=1&view=research")
    visitor.settled()
