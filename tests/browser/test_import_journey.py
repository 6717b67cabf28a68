"""A FHIR bundle becomes a case with both recommendations, and a file that cannot be read changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import Visitor
from tests.browser.steps import add_code, both_scored

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
BUNDLE = Path(__file__).parents[1] / "data" / "fhir_bundle.json"
EVIL = "<img src=x onerror=\"document.title='owned'\">"
TAKEN = 6_000_000  # bytes; more than a server takes that does not know the page's limit
TOO_LARGE = 21_000_000


def _give(page: Page, data: bytes, name: str = "bundle.json", kind: str = "application/json") -> None:
    _choose(page, FilePayload(name=name, mimeType=kind, buffer=data))


def _give_large(page: Page, path: Path, data: bytes) -> None:
    """By its path: as a message to the browser, millions of bytes would take seconds."""
    path.write_bytes(data)
    _choose(page, path)


def _choose(page: Page, file: FilePayload | Path) -> None:
    uploader = page.locator("[data-testid=stFileUploader] input[type=file]")
    expect(uploader).to_have_count(1)  # the one before goes when the next is there
    uploader.set_input_files(file)


def _open(page: Page) -> None:
    page.get_by_text("From a file, a list or a saved variant").click()
    expect(page.get_by_test_id("stFileUploaderDropzone")).to_be_visible()


def _chosen(page: Page) -> Locator:
    """The codes of the visit that is open."""
    return page.get_by_role("listitem").get_by_role("button", name=re.compile("^Remove "))


def test_bad_files_change_nothing_and_a_bundle_becomes_a_case(visit: Visit, tmp_path: Path) -> None:
    """A file that cannot be read gets one sentence; after those the uploader still takes the next, with both recommendations."""
    visitor = visit()
    page = visitor.page
    visitor.open("/new")
    add_code(page, "Diagnoses", "pneumonia")
    expect(_chosen(page)).to_have_count(1)
    before = _chosen(page).first.get_attribute("aria-label")
    _open(page)
    _bad_files(page, tmp_path)
    expect(_chosen(page)).to_have_count(1)
    assert _chosen(page).first.get_attribute("aria-label") == before
    expect(page.get_by_text("This case is not scored yet")).to_be_visible()
    expect(page.get_by_role("radio", name="Current visit")).to_have_count(1)
    assert page.title() != "owned"

    _give_large(page, tmp_path / "bundle.json", BUNDLE.read_bytes().ljust(TAKEN))
    expect(page.get_by_text("Read bundle.json: 3 visits.")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="was not changed")).to_have_count(0)
    listed = page.locator("table", has_text="left out")
    _left_out_and_accepted(page, listed)
    page.get_by_role("button", name="Recommend", exact=True).click()
    both_scored(page)
    expect(page.locator("td.score").first).to_be_visible()
    for secret in ("bundle", "e2", "486", "Catholic"):
        assert secret not in re.sub(r"draft=[\w-]+", "", page.url.removeprefix(visitor.base))
    page.get_by_role("button", name="Dismiss").click()
    expect(listed).to_have_count(0)
    both_scored(page)
    visitor.settled()


def _bad_files(page: Page, folder: Path) -> None:
    evil = json.loads(BUNDLE.read_bytes())
    for entry in evil["entry"]:
        entry["resource"] = {"resourceType": entry["resource"]["resourceType"], "id": EVIL, "code": EVIL}
    alert = page.get_by_role("alert")
    for data, name, message in (
        (b'{"resourceType": "Bundle", "entry": [', "cut.json", "is not JSON"),
        (json.dumps(evil).encode(), f"{EVIL}.json", "(for one: "),
        (json.dumps({"schema": "leader-case/1", "current": {"diagnoses": [EVIL]}}).encode(), "a.json", "begins with ICD9:"),
    ):  # fmt: skip
        _give(page, data, name)
        expect(alert).to_contain_text(message)
        expect(alert).to_contain_text("The case below was not changed.")
        expect(alert).to_have_count(1)
        assert len(alert.inner_text().removeprefix("error").strip().splitlines()) == 1
    _give_large(page, folder / "large.json", b" " * TOO_LARGE)
    expect(page.get_by_text("large.json")).to_be_visible()
    expect(page.get_by_text("File must be 20.0MB or smaller.")).to_be_visible()
    _give(page, b"%PDF-1.7", "case.pdf", "application/pdf")
    expect(page.get_by_text("case.pdf")).to_be_visible()
    expect(page.get_by_text("application/pdf files are not allowed.")).to_be_visible()


def _left_out_and_accepted(page: Page, listed: Locator) -> None:
    """What was left out is listed with the reason; a condition is accepted, and another encounter chosen."""
    for what, why in (
        ("Condition/c-refuted", "its verification status is refuted"),
        ("MedicationRequest/m6", "RxNorm is not mapped"),
        ("No such code", "has not the form of a code"),
    ):
        expect(listed.locator("tr", has_text=what).filter(has_text=why)).to_have_count(1)
    expect(page.get_by_text("4 Observation")).to_be_visible()
    page.get_by_role("button", name="Accept the 1 condition that a code names exactly").click()
    expect(
        page.get_by_role("button", name=re.compile("^Remove .*hypertension", re.IGNORECASE))
    ).to_be_visible()
    choice = page.get_by_role("combobox", name=re.compile("Encounter to recommend for"))
    choice.click()
    options = page.get_by_role("option")
    expect(options).to_have_count(3)
    options.filter(has_text="Encounter/e2").click()
    expect(page.locator("tr", has_text="Encounter/e3")).to_have_count(1)
    expect(page.get_by_text("ICD9:486", exact=True)).to_be_visible()
