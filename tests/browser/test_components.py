"""The browser components: one root in each place, in whatever order Streamlit begins and ends their calls.

`pytest -s -m soak tests/browser/test_components.py`, part of `make soak`, loads each page twenty times and prints the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.shared.templates import component_script
from tests.browser.conftest import Visitor
from tests.browser.steps import both_scored, still

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
TOUR: Final = "/case?tour=2"
_MODEL: Final = {"label": "Teacher", "note": "", "icon": "◆", "cut": 0.5, "ready": True}
DATA: Final[dict[str, dict[str, Any]]] = {
    "scores/comparison": {
        "subject": "a", "find": "Find", "caption": "", "heading": "Class", "note": "", "prescribed": True, "own": False,
        "groups": [], "teacher": _MODEL, "student": _MODEL,
    },
    "new_case/code_search": {"label": "Codes", "placeholder": "", "chosen": [], "query": "", "results": []},
    "scores/decide_first": {"subject": "a", "chosen": [], "drugs": {}, "areas": [], "label": "", "hint": ""},
    "scores/cards": {"code": "", "case": "1-1"},
    "patients/worklist": {"caption": "", "columns": [], "rows": [], "sort": "", "descending": False},
    "shell/keyboard": {"title": "Help", "shortcuts": [], "about": []},
    "shared/copy": {"text": "", "label": "Copy"},
    "tour/tour": {"run": 0, "stops": [{"panel": "person", "heading": "One", "text": "Two"}]},
    "tour/tour_offer": {"label": "New here?", "words": "", "start": "Start", "later": "Not now"},
}  # fmt: skip
CALLS: Final = """async ([source, data]) => {
    history.replaceState(null, "", "?tour=1");
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { default: draw } = await import(url);
    const host = document.body.appendChild(document.createElement("div"));
    const parentElement = host.attachShadow({ mode: "open" });
    const call = () => draw({ data: [data], parentElement, setTriggerValue() {}, setStateValue() {} });
    const roots = () => parentElement.childElementCount;
    const counts = {};
    const first = call(), second = call();
    counts.drawn = roots();
    first();
    counts.overtaken = roots();
    second();
    counts.left = roots();
    const early = call();
    early();
    const late = call();
    counts.again = roots();
    late();
    counts.end = roots();
    return counts;
}"""
"""Streamlit ends an overtaken call after the next one has drawn, or before it; the last one when the component goes."""

WATCH: Final = """
window.most = {};
const note = (name, number) => { if (number > (window.most[name] || 0)) window.most[name] = number; };
const look = () => {
    const places = {};
    for (const element of document.querySelectorAll("[class*='st-key-']"))
        for (const name of element.classList) if (name.startsWith("st-key-")) places[name] = (places[name] || 0) + 1;
    for (const [name, number] of Object.entries(places)) note(name, number);
    for (const host of document.querySelectorAll("[data-testid=stBidiComponentIsolated]")) {
        const place = host.closest("[class*='st-key-']");
        const roots = [...(host.shadowRoot?.children || [])].filter((each) => !each.querySelector(":scope > style"));
        note("root in " + [...(place?.classList || [])].find((name) => name.startsWith("st-key-")), roots.length);
    }
};
new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true });
setInterval(look, 40);
"""
"""The most elements of one key, and the most roots in one component, that ever stood on the page at a time."""


@pytest.fixture(scope="module")
def blank(browser: Browser, server: str) -> Page:
    """A page of the server's address with nothing on it."""
    page = browser.new_page()
    page.route("**/blank", lambda route: route.fulfill(body="<main>", content_type="text/html"))
    page.goto(f"{server}/blank")
    return page


@pytest.mark.parametrize("name", DATA)
def test_a_component_has_one_root_and_takes_it_away(blank: Page, name: str) -> None:
    parts = ("scores/tag_chooser",) if name == "scores/comparison" else ()
    counts = blank.evaluate(CALLS, [component_script(name, *parts), DATA[name]])
    assert counts == {"drawn": 1, "overtaken": 1, "left": 0, "again": 1, "end": 0}


@pytest.fixture(scope="module")
def patient(synthetic_cohort: Path) -> str:
    """Somebody with a history."""
    with duckdb.connect(str(synthetic_cohort), read_only=True) as cohort:
        row = cohort.execute("SELECT min(patient_id) FROM patients WHERE visits > 1").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("path", ["/case?patient={}&view=research", "/new"])
def test_nothing_stands_twice_while_a_page_loads(visit: Visit, patient: str, path: str) -> None:
    """Nor while it is drawn again; on the case page also after a move of the cut-off."""
    assert _stood_twice(visit(), path.format(patient), loads=1) == {}


@pytest.mark.soak
@pytest.mark.parametrize(
    "path",
    [TOUR, "/", "/case?patient={}&view=research", "/case?patient={}", "/new", "/interactions?patient={}",
     "/prompt?patient={}", "/errors", "/models"],
)  # fmt: skip
def test_nothing_stands_twice_in_twenty_loads(visit: Visit, patient: str, path: str) -> None:
    twice = _stood_twice(visit(), path.format(patient), loads=20)
    print(f"{path}: 20 loads, {len(twice)} places stood twice {twice or ''}")
    assert twice == {}


def _stood_twice(visitor: Visitor, path: str, *, loads: int) -> dict[str, int]:
    """In how many loads each place stood on the page more than once at a time."""
    page = visitor.page
    page.add_init_script(WATCH)
    twice: dict[str, int] = {}
    for _ in range(loads):
        visitor.open(path)
        still(page)
        if "research" in path:
            both_scored(page)
            page.get_by_role("slider", name="Teacher cut-off").press("End")
            expect(page.locator("td.score.teacher.on")).to_have_count(0)
            still(page)
        most: dict[str, int] = page.evaluate("window.most")
        for place, number in most.items():
            if number > 1:
                twice[place] = twice.get(place, 0) + 1
    return twice
