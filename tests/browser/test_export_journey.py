"""Browse, filter, open, move a cut-off, and take the case away: each file says what the page showed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from leader_core.exchange.case_json import read_case_file
from tests.browser.conftest import Visitor
from tests.browser.pdf_text import words
from tests.browser.steps import both_scored, class_count, overflow, rows

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]


def _saved(page: Page, button: Locator, folder: Path) -> Path:
    """Press a button and keep the file that comes."""
    with page.expect_download() as coming:
        button.click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def _table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_from_the_worklist_to_files_that_say_what_the_page_showed(
    visit: Visit, browser: Browser, tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open("/?sort=-visits")
    page.get_by_role("radio", name="2 or more").click()
    page.get_by_role("radio", name="Female", exact=True).click()
    count = page.get_by_text(re.compile(r"^[\d,]+ patients · .* · .*"))
    expect(count).to_be_visible()
    expect(page).to_have_url(re.compile("gender=.*visits=|visits=.*gender="))
    listed = _table(_saved(page, page.get_by_role("button", name="CSV"), tmp_path).read_bytes())
    assert len(listed) == int(count.inner_text().split()[0].replace(",", "")) > 1
    assert all(int(row["visits"]) >= 2 and row["gender"] == "F" for row in listed)
    assert [row["patient_id"] for row in listed[:3]] == rows(page).all_inner_texts()[:3]

    patient = rows(page).nth(1).inner_text()
    rows(page).nth(1).click()
    expect(page.get_by_role("heading", level=1, name=f"Patient {patient}", exact=True)).to_be_visible()
    both_scored(page)

    before = class_count(page, "student").inner_text()
    slider = page.get_by_role("slider", name="Student cut-off")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    cut = f"{float(slider.input_value()):.3g}"
    expect(page).to_have_url(re.compile(rf"student_cut={cut}"))
    expect(class_count(page, "student")).not_to_have_text(before)

    page.get_by_role("button", name="Export").click()
    files = {
        ending: _saved(page, page.get_by_role("button", name=f"({ending.upper()})"), tmp_path)
        for ending in ("html", "pdf", "json", "csv")
    }
    assert {path.suffix for path in files.values()} == {".html", ".pdf", ".json", ".csv"}
    assert all(path.name.startswith(f"leader-patient-{patient}-") for path in files.values())
    chosen = int(class_count(page, "student").inner_text().splitlines()[0])
    _check_tables(files["json"].read_bytes(), files["csv"].read_bytes(), float(cut), chosen)
    pdf = files["pdf"].read_bytes()
    assert pdf.startswith(b"%PDF")
    assert f"Patient {patient}" in words(pdf) and f"{cut}, moved by the viewer" in words(pdf)
    _opens_offline(browser, files["html"], patient, cut)
    visitor.settled()

    visitor.go("/new")
    page.get_by_text("From a file, a list or a saved variant").click()
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(files["json"])
    visits = len(read_case_file(files["json"].read_bytes()).history) + 1
    expect(page.get_by_text(f"Read {files['json'].name}: {visits} visits.")).to_be_visible()
    visitor.settled()


def _check_tables(record: bytes, table: bytes, cut: float, chosen: int) -> None:
    """JSON and CSV hold every class with its scores, and suggest what the page did."""
    read = json.loads(record)
    assert read["models"]["student"]["cut_off"] == pytest.approx(cut)
    assert read["models"]["student"]["own_cut_off"] != pytest.approx(cut)
    assert sum(row["student_selected"] for row in read["medications"]) == chosen
    lines = {line["code"]: line for line in _table(table)}
    assert len(lines) == len(read["medications"])
    for row in read["medications"]:
        assert row["student"] is None or float(lines[row["code"]]["student"]) == pytest.approx(
            row["student"], abs=1e-6
        )


def _opens_offline(browser: Browser, path: Path, patient: str, cut: str) -> None:
    """The HTML in a fresh browser without a network: whole, and it asks for nothing and complains of nothing."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, offline=True)
    page = context.new_page()
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(path.as_uri())
    expect(page.get_by_role("heading", level=1, name=f"Patient {patient}")).to_be_visible()
    expect(page.get_by_text(f"{cut}, moved by the viewer")).to_be_visible()
    expect(page.get_by_role("heading", name="Drug classes", exact=True)).to_be_visible()
    page.wait_for_function("document.fonts.status === 'loaded'")
    assert page.evaluate("document.fonts.check('16px \"IBM Plex Sans\"')")
    assert (over := overflow(page)) <= 0, f"the report is {over} px too wide for a telephone"
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert problems == []
    context.close()
