"""Takes the README's pictures of the dashboard from a server that is running.

    python tests/browser/screens.py --base http://127.0.0.1:8501 [--patient ID] [--out assets/screens]

Waits until both models answer, so that no picture shows a page half drawn. The pictures hold few colours, and are
written with a palette: a third of the size, and nothing that an eye can tell.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser import chromium

PATIENCE: Final = 300_000  # ms
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
DIAGNOSES: Final = ("congestive heart failure", "atrial fibrillation", "pneumonia")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", default="http://127.0.0.1:8501", help="the server (default: %(default)s)")
    parser.add_argument(
        "--patient", help="the case to show (default: the one of the test split with the most visits)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("assets/screens"), help="folder (default: %(default)s)"
    )
    arguments = parser.parse_args()
    path = chromium.find()
    if path is None:
        print(chromium.ABSENT, file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(path), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE)
        take(page, arguments.base.rstrip("/"), arguments.patient, arguments.out)
        browser.close()
    return 0


def take(page: Page, base: str, patient: str | None, out: Path) -> None:
    """patients.png, case.png (the clinician's view), research.png (the same case) and new-case.png."""
    page.goto(f"{base}/?split=test&sort=-visits")
    page.locator("tbody tr a").first.wait_for()
    patient = patient or page.locator("tbody tr a").first.inner_text()
    page.get_by_text("Teacher ready").wait_for()
    page.goto(f"{base}/?split=test")
    page.locator("tbody tr a").first.wait_for()
    _settle(page)
    _shoot(page, out / "patients.png")
    page.goto(f"{base}/case?patient={patient}")
    page.locator(".ld-card.ld-all").wait_for()
    _settle(page)
    _shoot(page, out / "case.png")
    page.goto(f"{base}/case?patient={patient}&view=research")
    for name in ("teacher", "student"):
        page.locator(f".st-key-metrics-{name}").wait_for()
    _settle(page)
    _shoot(page, out / "research.png")
    page.goto(f"{base}/new")
    box = page.get_by_role("combobox", name="Diagnoses")
    for words in DIAGNOSES:
        box.click()
        box.press_sequentially(words, delay=20)
        page.get_by_role("option").first.wait_for()
        box.press("Enter")
        page.get_by_role("option").first.wait_for(state="hidden")
        _settle(page)
    page.get_by_role("button", name="Recommend", exact=True).click()
    page.locator(".ld-card.ld-all, .st-key-metrics-student").first.wait_for()
    page.get_by_text("Teacher ready").wait_for()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    _settle(page)
    _shoot(page, out / "new-case.png")


def _shoot(page: Page, path: Path) -> None:
    page.screenshot(path=path)
    with Image.open(path) as taken:
        small = taken.convert("RGB").quantize(
            256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    small.save(path, optimize=True)


def _settle(page: Page) -> None:
    """Nothing running, no placeholder left, fonts there."""
    page.wait_for_timeout(1_500)
    page.wait_for_function(
        "!document.querySelector('[data-testid=stSkeleton], [data-testid=stStatusWidget], [data-testid=stProgress]')"
    )
    page.wait_for_function("document.fonts.status === 'loaded'")
    page.wait_for_timeout(500)


if __name__ == "__main__":
    sys.exit(main())
