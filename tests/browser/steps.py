"""What several journeys do on a page: wait for scores, add a code, read a metric. Each step waits by itself."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def both_scored(page: Page) -> None:
    """Both models' scores are on the page."""
    for name in ("teacher", "student"):
        metrics = page.locator(f".st-key-metrics-{name}")
        expect(metrics).to_have_count(1)  # while the page is drawn again, the ones before may stand there too
        expect(metrics).to_be_visible()


def search_from_keyboard(page: Page, text: str) -> None:
    """Type into the worklist's search after "/", which is pressed again until the page listens."""
    box = page.locator(".st-key-search input")
    for _ in range(100):
        page.keyboard.press("/")
        page.wait_for_timeout(100)
        if box.evaluate("box => box.getRootNode().activeElement === box"):
            break
    page.keyboard.type(text)
    expect(box).to_have_value(text)


def class_count(page: Page, name: str) -> Locator:
    """The number of classes that a model suggests, as it stands under its cut-off."""
    return page.locator(f".st-key-metrics-{name} dl > div", has_text="Classes").locator("dd")


def add_code(page: Page, label: str, text: str) -> None:
    """Type into a code search and take the first match."""
    box = page.get_by_role("combobox", name=label)
    box.click()
    box.press_sequentially(text, delay=15)
    expect(page.get_by_role("option").first).to_be_visible()
    box.press("Enter")
    expect(box).to_have_value("")


def still(page: Page) -> None:
    """No run is under way, nothing is stale, and no transition is half way."""
    page.wait_for_function(
        """() => {
            const app = document.querySelector("[data-testid=stApp]");
            return app?.dataset.testScriptState === "notRunning"
                && !document.querySelector("[data-testid=stSkeleton], [data-stale=true]")
                && document.getAnimations().every((each) => each.playState !== "running");
        }"""
    )


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    over: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return over


def rows(page: Page) -> Locator:
    """The links of the worklist's rows."""
    return page.locator("table.worklist tbody th a")
