"""axe-core on a page as it stands, in light and in dark: its serious and critical violations."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final, Literal

from playwright.sync_api import Page

from tests.browser.steps import still

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
GRAVE: Final = ("serious", "critical")
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
_REQUESTED: Final = 300  # ms until the browser has requested that run; nothing on the page says that it will
_BACKGROUND: Final = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


def grave_violations(page: Page) -> list[str]:
    """Each violation with its scheme and the elements it is about.

    The second scheme is checked for its colours alone, which is all that it changes. The page stays in the second
    scheme, so that the next page is drawn in it from the start.
    """
    dark = bool(page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"))
    first, second = SCHEMES[dark], SCHEMES[not dark]
    still(page)
    violations = _grave(page, first, "{ resultTypes: ['violations'] }")
    before = page.evaluate(_BACKGROUND)
    page.emulate_media(color_scheme=second)
    page.wait_for_function(f"{_BACKGROUND} !== '{before}'")
    page.wait_for_timeout(_REQUESTED)  # charts are drawn again by a run that the change has requested
    still(page)
    return violations + _grave(page, second, "{ runOnly: ['color-contrast', 'link-in-text-block'] }")


def _grave(page: Page, scheme: str, options: str) -> list[str]:
    page.evaluate(f"if (!window.axe) {{ {AXE} }}")
    result: dict[str, Any] = page.evaluate(f"axe.run({options})")
    return [
        f"{scheme} {v['id']}: {[node['target'] for node in v['nodes'][:3]]}"
        for v in result["violations"]
        if v["impact"] in GRAVE
    ]
