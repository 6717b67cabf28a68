"""axe-core over every page and every way to look at a case: no serious or critical violation, wide and narrow, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.steps import still

pytestmark = pytest.mark.browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
GRAVE = ("serious", "critical")


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_axe_finds_nothing_grave_on_any_page(
    visit: Callable[..., Visitor], width: int, height: int, scheme: str
) -> None:
    visitor = visit(width=width, height=height, scheme=scheme)
    page = visitor.page
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        still(page)
        if grave := _grave(page):
            found[name] = grave

    visitor.open("/?split=test&visits=returning")
    rows = page.locator("tbody tr a")
    expect(rows.nth(1)).to_be_visible()
    one, two = rows.nth(0).inner_text(), rows.nth(1).inner_text()
    look("patients, with the tour's offer")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    look("help")
    for path, there in (
        (f"case?patient={one}&tour=2", ".st-key-figures-teacher"),
        (f"case?patient={two}&beside={one}-1", ".ld-moves"),
        (f"case?patient={two}&show=decide", "fieldset"),
        ("new", ".st-key-recommend"),
        (f"interactions?patient={one}", ".st-key-pair_card"),
        (f"interactions?patient={one}&view=safer", ".ld-safer-figures"),
        (f"interactions?patient={one}&view=matrix", ".js-plotly-plot"),
        (f"prompt?patient={one}&published=1", ".ld-prompt"),
        (f"prompt?patient={one}&mode=edit", "textarea"),
        ("models", ".ld-facts"),
        ("models?model=student", ".js-plotly-plot"),
        ("models?model=training", ".st-key-train_start"),
        ("case?patient=999999999", "[data-testid=stAlert]"),
    ):
        visitor.page.goto(f"{visitor.base}/{path}")
        expect(page.locator(there).first).to_be_visible()
        look(path.split("?")[0] + " " + there)
    assert found == {}
    assert page.evaluate("document.documentElement.lang") == "en"


def _grave(page: Page) -> list[str]:
    """Each serious or critical violation with the elements it is about."""
    page.evaluate(f"if (!window.axe) {{ {AXE} }}")
    result: dict[str, Any] = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{v['id']}: {[node['target'] for node in v['nodes'][:3]]}"
        for v in result["violations"]
        if v["impact"] in GRAVE
    ]
