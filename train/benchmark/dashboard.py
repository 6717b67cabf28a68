"""The dashboard as a user sees it: a server process, a real browser, and how long every interaction takes.

Nothing of the dashboard is imported. Needs Playwright and a Chromium, looked for when measuring begins. A time runs from
the click (or Enter) until the result is on the page and the server has nothing left to send; between two actions there
is a pause, as with a person.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psutil

from leader_core.errors import LeaderError, NotFoundError
from train.benchmark.crowd import repeated_cohort
from train.benchmark.measure import MIB, rounded
from train.console import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENTS: Final = 300_000
TIMEOUT: Final = 300.0  # seconds until the models must be there
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
REMEDY: Final = (
    "Install the test packages (pip install -r tests/requirements.txt) and a Chromium (Debian: apt-get install "
    "chromium; elsewhere: python -m playwright install chromium), or set BROWSER_PATH to its program."
)
WORDS: Final = ("heart failure", "pneumonia", "diabetes", "warfarin", "sepsis", "fracture femur", "CHF")
CODES: Final = ("428.0", "486", "B01A", "250", "C07A", "401.9")
LETTERS: Final = tuple("eaicsp")
TARGETS_MS: Final[Mapping[str, float | None]] = {
    "click feedback": 100,
    "filter": 300,
    "page turn": 300,
    "sort": 300,
    "search: words": 300,
    "search: a code": 300,
    "search: one letter": 300,
    "search: an id": 300,
    "open a stored case": 500,
    "open a stored case: student's own answer": 500,
    "open a stored case: teacher's own answer": 2_000,
    "switch a tab": 300,
    "recommend: student": 300,
    "recommend: teacher": 2_000,
    "usable page after process start": 3_000,
}
"""Milliseconds at the 95th percentile, the project's targets. Of a stored case the student answers again at once, and the
teacher on request; "recommend" is a case entered under New case, of which nothing is stored."""
STARTS: Final = 5  # how often the server is started
PAUSE: Final = 400  # ms between two actions
TABS: Final[Mapping[str, str]] = {"Trust": "How far to trust", "Similar": "Similar training patients"}
"""Tabs next to a case's scores, with words that are in no other."""
RESEARCH: Final = "?view=research"  # draws more than the clinician's view, both models' scores among it
ENTERED: Final = ("428.0", "427.31", "584.9", "401.9", "486")

_HELPERS: Final = """() => {
  const seek = (root) => {
    const here = root.querySelector('table.worklist');
    if (here) return here;
    for (const e of root.querySelectorAll('*')) if (e.shadowRoot) { const t = seek(e.shadowRoot); if (t) return t; }
    return null;
  };
  let table = null;
  window.leaderTable = () => (table && table.isConnected ? table : (table = seek(document)));
  window.leaderRows = () => {
    const t = leaderTable();
    return t ? [...t.querySelectorAll('tbody th a')].map((a) => a.textContent).join(' ') : '';
  };
  window.leaderIdle = () =>
    document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state') === 'notRunning';
  window.leaderCase = () => ['h1', '.st-key-person'].map((e) => (document.querySelector(e) || {}).textContent || '');
  window.leaderSays = (text) => [...document.querySelectorAll('.ld-muted, .ld-note, [data-testid=stHtml]')]
    .some((e) => e.textContent.includes(text));
  window.leaderRead = (text) => [...document.querySelectorAll('.ld-understood b')]
    .some((e) => e.textContent.startsWith(text.split(' ')[0]));
  window.leaderLive = (name) => Boolean(document.querySelector('.st-key-metrics-' + name))
    && ![...document.querySelectorAll('.ld-callout.' + name)].some((e) => e.textContent.includes('were stored on'));
}"""

_FEEDBACK: Final = """(radio) => new Promise((resolve) => {
  const label = radio.textContent.trim(), began = performance.now();
  const chosen = () => [...document.querySelectorAll('[role=radio]')].some(
    (e) => e.textContent.trim() === label && e.getAttribute('aria-checked') === 'true');
  const look = () => (chosen() ? resolve(performance.now() - began) : requestAnimationFrame(look));
  radio.click();
  requestAnimationFrame(look);
})"""
"""Milliseconds from a click to the first frame that shows it, by the page's own clock: asking the page from outside takes
about as long."""


_STANDS: Final = """(before) => leaderCase().every((text, i) => text && text !== before[i])
  && ['student', 'teacher'].every((name) => document.querySelector('.st-key-metrics-' + name))"""
"""Another case than `before` stands with both models' scores: its heading is drawn first and its visits last."""


@dataclass(frozen=True, slots=True)
class Server:
    """A dashboard that answers at `base`."""

    base: str
    process: subprocess.Popen[bytes]
    began: float  # perf_counter when the process was started

    def held(self) -> tuple[float, float]:
        """Of the process: MiB of memory, and milliseconds of processor time so far."""
        process = psutil.Process(self.process.pid)
        times = process.cpu_times()
        return float(process.memory_info().rss) / MIB, 1000 * float(times.user + times.system)


def run(
    source: Path, models: Path, patients: int, work: Path, interactions: int, device: str, report: Report
) -> dict[str, Any]:
    """Make the cohort where `work` has none, serve it, and measure about `interactions` interactions.

    Raises:
        NotFoundError: no browser, no Playwright, no cohort or no student; the text says how to get it.
    """
    browser_path = find_browser()
    cohort = repeated_cohort(source, models, patients, work, report)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(browser_path), args=list(ARGUMENTS))
        starts: list[float] = []
        while len(starts) < STARTS:
            page = _new_page(browser)
            with serving(cohort.cohort, models, work, device) as server:
                starts.append(_start(page, server))
                if len(starts) == STARTS:
                    ready = _models_ready(page, server)
                    measured = _measure(page, server, interactions, report)
            page.close()  # it would go on trying to reach its server
        browser.close()
    measured["times"]["usable page after process start"] = starts
    return {
        "patients": cohort.patients,
        "copies": cohort.copies,
        "teacher_scores": "made up" if cohort.made_up_teacher else "stored",
        "models_ready_seconds": ready,
        "interactions": table(measured["times"]),
        "server_cpu_p50_ms": {n: rounded(float(np.median(v))) for n, v in measured["cpu"].items() if v},
        "memory_mib": measured["memory"],
    }


def _new_page(browser: Browser) -> Page:
    """A page without state of earlier ones."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(1000 * TIMEOUT)
    page.add_init_script(f"({_HELPERS})()")
    return page


def find_browser() -> Path:
    """The browser to drive.

    Raises:
        NotFoundError: none, or no Playwright to drive it with.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NotFoundError(f"Playwright is not installed, and no page can be measured. {REMEDY}") from error
    named = os.environ.get("BROWSER_PATH")
    if named:
        if Path(named).is_file():
            return Path(named)
        raise NotFoundError(f"BROWSER_PATH names {named}, which is not a file. {REMEDY}")
    for name in BROWSERS:
        if path := shutil.which(name):
            return Path(path)
    with sync_playwright() as driver:
        own = Path(driver.chromium.executable_path)
    if own.is_file():
        return own
    raise NotFoundError(f"There is no Chromium to measure with. {REMEDY}")


@contextmanager
def serving(cohort: Path, models: Path, work: Path, device: str) -> Iterator[Server]:
    """The dashboard on a free port, with a workspace of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LEADER_COHORT": str(cohort.resolve()),
        "LEADER_MODELS": str(models.resolve()),
        "LEADER_WORKSPACE": str((work / "workspace.sqlite").resolve()),
        "LEADER_DEVICE": device,
    }
    command = [sys.executable, "-m", "dashboard", "--port", str(port)]
    began = time.perf_counter()
    with (work / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)  # noqa: S603
    try:
        yield Server(f"http://127.0.0.1:{port}", process, began)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def table(times: Mapping[str, list[float]]) -> dict[str, dict[str, Any]]:
    """p50 and p95 of every interaction in milliseconds, with its target and whether p95 meets it.

    >>> table({"filter": [100.0, 200.0]})["filter"]
    {'p50_ms': 150.0, 'p95_ms': 195.0, 'target_ms': 300, 'met': True, 'runs': 2}
    """
    rows = {}
    for name, values in times.items():
        if not values:
            continue
        p50, p95 = (rounded(float(v)) for v in np.percentile(values, [50, 95]))
        target = TARGETS_MS.get(name)
        rows[name] = {
            "p50_ms": p50,
            "p95_ms": p95,
            "target_ms": target,
            "met": target is None or p95 <= target,
            "runs": len(values),
        }
    return rows


def _start(page: Page, server: Server) -> float:
    """Milliseconds from the start of the process until the worklist's rows are on the page."""
    while True:
        if server.process.poll() is not None:
            raise LeaderError(
                f"The dashboard ended with exit code {server.process.returncode}; see server.log."
            )
        try:
            with urllib.request.urlopen(f"{server.base}/_stcore/health", timeout=2):  # noqa: S310
                break
        except OSError:
            time.sleep(0.02)
        if time.perf_counter() - server.began > TIMEOUT:
            raise LeaderError(f"The dashboard gave no answer within {TIMEOUT:.0f} s; see server.log.")
    page.goto(f"{server.base}/{RESEARCH}")
    page.wait_for_function("() => leaderRows()", polling="raf")
    return 1000 * (time.perf_counter() - server.began)


def _models_ready(page: Page, server: Server) -> float:
    """Seconds from the start until every model that is there can answer."""
    page.wait_for_function(
        "() => { const f = document.querySelector('.ld-frame');"
        " return f && !f.textContent.includes('loading') && leaderIdle(); }",
        polling=200,
    )
    return rounded(time.perf_counter() - server.began)


def _timed(page: Page, act: Callable[[], object], there: str, argument: object = None) -> float:
    """Milliseconds from `act` until the condition holds and nothing runs."""
    page.wait_for_timeout(PAUSE)
    began = time.perf_counter()
    act()
    page.wait_for_function(f"(a) => ({there}) && leaderIdle()", arg=argument, polling="raf")
    return 1000 * (time.perf_counter() - began)


def _measure(page: Page, server: Server, interactions: int, report: Report) -> dict[str, Any]:
    """Rounds of everything until enough was done; the first round warms up and is not counted."""
    times: dict[str, list[float]] = {name: [] for name in TARGETS_MS}
    cpu: dict[str, list[float]] = {
        name: [] for name in TARGETS_MS
    }  # since the one before, whatever else runs
    memory: list[float] = []
    done = number = 0
    while done < interactions or number < 2:
        before = server.held()[1]
        for name, taken in _round(page, server, number):
            done += 1
            now = server.held()[1]
            if number:
                times[name].append(taken)
                cpu[name].append(now - before)
            before = now
        memory.append(rounded(server.held()[0]))
        number += 1
        if number % 5 == 0:
            report.line(f"{done} of {interactions} interactions, server at {memory[-1]:.0f} MiB")
    held = {"first": memory[0], "last": memory[-1], "most": max(memory), "interactions": done}
    return {"times": times, "cpu": cpu, "memory": held}


def _round(page: Page, server: Server, number: int) -> Iterator[tuple[str, float]]:
    """One of everything; `number` varies the input."""
    page.goto(f"{server.base}/{RESEARCH}")
    page.wait_for_function("() => leaderRows() && leaderIdle()", polling="raf")
    yield from _filters(page, number)
    before = page.evaluate("leaderRows()")
    forward = page.get_by_role("button", name=f"Page {2 + number % 2}", exact=True).first
    forward.wait_for()
    yield (
        "page turn",
        _timed(
            page, lambda: forward.evaluate("e => e.click()"), "leaderRows() && leaderRows() !== a", before
        ),
    )
    for label in ("Age", "Visits"):
        head = page.locator("table.worklist thead th", has_text=label).first
        before = head.get_attribute("aria-sort") or ""
        click = head.locator("button")
        there = (
            "[...leaderTable().querySelectorAll('th[aria-sort]')].some("
            "h => h.textContent.includes(a[0]) && h.getAttribute('aria-sort') !== a[1])"
        )
        yield "sort", _timed(page, lambda c=click: c.evaluate("e => e.click()"), there, [label, before])  # type: ignore[misc]
    yield from _searches(page, number)
    yield from _cases(page, server, number)
    yield from _entered(page, server, number)


def _filters(page: Page, number: int) -> Iterator[tuple[str, float]]:
    for label, said in (("Female", "sex: female"), ("2 or more", "visits: 2 or more")):
        radio = page.get_by_role("radio", name=label, exact=True)
        page.wait_for_timeout(PAUSE)
        began = time.perf_counter()
        seen = float(radio.evaluate(_FEEDBACK))
        page.wait_for_function("(a) => leaderSays(a) && leaderIdle()", arg=said, polling="raf")
        if number:  # one of the two, so that both kinds of answer are as frequent in the times
            yield "click feedback", seen
        yield "filter", 1000 * (time.perf_counter() - began)
    clear = page.get_by_role("button", name="Clear filters")
    yield "filter", _timed(page, lambda: clear.evaluate("e => e.click()"), "!leaderSays('sex: female')")


def _searches(page: Page, number: int) -> Iterator[tuple[str, float]]:
    box = page.locator(".st-key-search input")
    ids = str(page.evaluate("leaderRows()")).split()
    for name, text in (
        ("search: words", WORDS[number % len(WORDS)]),
        ("search: a code", CODES[number % len(CODES)]),
        ("search: one letter", LETTERS[number % len(LETTERS)]),
        ("search: an id", ids[number % len(ids)]),
    ):
        yield name, _timed(page, lambda t=text: _type(box, t), "leaderRead(a)", text)  # type: ignore[misc]
    _timed(page, lambda: _type(box, ""), "!document.querySelector('.ld-understood')")


def _type(box: Locator, text: str) -> None:
    box.fill(text)
    box.press("Enter")


def _cases(page: Page, server: Server, number: int) -> Iterator[tuple[str, float]]:
    """A case of the test split, and the next ones: first their stored scores, then the models' own; then their tabs.

    Every round takes others: a case that was scored once is answered at once.
    """
    page.goto(f"{server.base}/{RESEARCH}&split=test&page={number + 1}")
    page.wait_for_function("() => leaderRows() && leaderIdle()", polling="raf")
    row = page.locator("table.worklist tbody th a").first
    row.evaluate("e => e.click()")
    page.locator(".st-key-step_next button").wait_for()
    for _ in range(2):
        page.wait_for_function("() => leaderLive('student') && leaderIdle()", polling=50)
        before = page.evaluate("leaderCase()")
        button = page.locator(".st-key-step_next button")
        page.wait_for_timeout(PAUSE)
        began = time.perf_counter()
        button.evaluate("e => e.click()")
        page.wait_for_function(_STANDS, arg=before, polling="raf")
        yield "open a stored case", 1000 * (time.perf_counter() - began)
        page.wait_for_function("a => leaderLive(a)", arg="student", polling="raf")
        yield "open a stored case: student's own answer", 1000 * (time.perf_counter() - began)
        yield "open a stored case: teacher's own answer", _ask_teacher(page)
    for label, words in TABS.items():
        tab = page.get_by_role("tab", name=label, exact=True)
        yield "switch a tab", _timed(page, lambda t=tab: t.evaluate("e => e.click()"), "leaderSays(a)", words)  # type: ignore[misc]


def _ask_teacher(page: Page) -> float:
    """Milliseconds from asking the teacher, whose scores are stored, until its own answer stands."""
    button = page.locator(".st-key-ask-teacher button")
    button.wait_for()
    return _timed(page, lambda: button.evaluate("e => e.click()"), "leaderLive('teacher')")


def _entered(page: Page, server: Server, number: int) -> Iterator[tuple[str, float]]:
    """Two diagnoses of a first-time patient, and what each model recommends, from pressing the button on."""
    page.goto(f"{server.base}/new{RESEARCH}")
    box = page.get_by_role("combobox", name="Diagnoses")
    for step in range(2):
        box.fill(ENTERED[(number + step) % len(ENTERED)])
        page.get_by_role("option").first.wait_for()
        box.press("Enter")
        page.get_by_role("option").first.wait_for(state="hidden")
        page.wait_for_function("() => leaderIdle()")
    button = page.get_by_role("button", name="Recommend")
    page.wait_for_timeout(PAUSE)
    began = time.perf_counter()
    button.evaluate("e => e.click()")
    for name in ("student", "teacher"):
        page.wait_for_function("a => leaderLive(a)", arg=name, polling="raf")
        yield f"recommend: {name}", 1000 * (time.perf_counter() - began)
