"""axe-core on a page as it stands: its serious and critical violations; and the windows that pages are checked in."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Page

from tests.browser.steps import still

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
GRAVE: Final = ("serious", "critical")
# Width, height and colour scheme. Two of the four cover each width and each scheme once; `make soak` adds the others.
WINDOWS: Final = (
    (1440, 900, "light"),
    (390, 844, "dark"),
    pytest.param(1440, 900, "dark", marks=pytest.mark.soak),
    pytest.param(390, 844, "light", marks=pytest.mark.soak),
)


def grave_violations(page: Page) -> list[str]:
    """Each violation with the elements it is about."""
    still(page)
    page.evaluate(f"if (!window.axe) {{ {AXE} }}")
    result: dict[str, Any] = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{v['id']}: {[node['target'] for node in v['nodes'][:3]]}"
        for v in result["violations"]
        if v["impact"] in GRAVE
    ]
