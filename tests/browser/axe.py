"""axe-core on a page as it stands: its serious and critical violations; and the windows that pages are checked in."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Page

from tests.browser.steps import still

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
GRAVE: Final = ("serious", "critical")
_WINDOWS: Final = tuple(
    (width, height, scheme) for width, height in ((1440, 900), (390, 844)) for scheme in ("light", "dark")
)
# Width, height, colour scheme, and which of the pages: half of them wide and light, the others narrow and dark, so that each
# is checked once. `make soak` checks every page in all four windows.
WINDOWS: Final = (
    (1440, 900, "light", slice(0, None, 2)),
    (390, 844, "dark", slice(1, None, 2)),
    *(pytest.param(*window, slice(None), marks=pytest.mark.soak) for window in _WINDOWS),
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
