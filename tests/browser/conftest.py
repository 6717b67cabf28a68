"""A real server on a free port over a small synthetic cohort and the shipped models, and a real browser on it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.browser.steps import still

ROOT = Path(__file__).parents[2]
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 180_000  # ms; a busy machine with two cores loads a language model in this time
GO = """path => {
    const state = () => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
    const look = () => { window.begun ||= state() !== "notRunning"; };
    window.begun = false;
    look();
    new MutationObserver(look).observe(
        document.body, { attributes: true, subtree: true, attributeFilter: ["data-test-script-state"] });
    history.pushState(null, "", path);
    dispatchEvent(new PopStateEvent("popstate"));
}"""
OWN_PROBES = "/_stcore/"  # Streamlit looks for its server below a deep link's path first, and logs the 404


def in_research(path: str) -> str:
    """A page's address in the research view."""
    return path + ("&" if "?" in path else "?") + "view=research"


@dataclass
class Visitor:
    """A page of the browser and everything that went wrong on it."""

    page: Page
    base: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)

    def open(self, path: str, *, research: bool = True) -> None:
        """Open a page, in the research view by default, and wait until it stands and listens."""
        self.page.goto(self.base + (in_research(path) if research else path))
        expect(self.page.locator("h1").first).to_be_visible()
        expect(self.page.get_by_text("not a medical device").first).to_be_visible()
        expect(self.page.get_by_role("button", name="Help", exact=True)).to_be_visible()

    def go(self, path: str, *, research: bool = True) -> None:
        """Another page, or another case, in the same session, as Back and Forward open them: a quarter of the time of `open`."""
        still(self.page)
        self.page.evaluate(GO, self.base + (in_research(path) if research else path))
        self.page.wait_for_function("window.begun")
        still(self.page)

    def settled(self) -> None:
        """Both models loaded, nothing running, nothing wrong."""
        for name in ("Teacher ready", "Student ready"):
            expect(self.page.get_by_text(name)).to_be_visible()
        self.unharmed()

    def unharmed(self) -> None:
        """No error element, no console error, no request to anywhere else."""
        assert self.page.locator("[data-testid=stException]").count() == 0
        assert self.page.locator("[data-testid=stAlertContentError]").count() == 0
        assert self.errors == []
        assert self.foreign == []

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and OWN_PROBES not in message.location.get("url", ""):
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:", self.base.replace("http", "ws"))):
            self.foreign.append(request.url)


@pytest.fixture(scope="session")
def server(
    browser_path: Path, synthetic_cohort: Path, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The dashboard as `make run` serves it, with a workspace of its own: other workers serve the same cohort."""
    workspace = tmp_path_factory.mktemp("workspace") / "workspace.sqlite"
    with serving(synthetic_cohort, models, workspace) as base:
        yield base


@contextmanager
def serving(cohort: Path, models: Path, workspace: Path | None = None) -> Iterator[str]:
    """The dashboard over a cohort and models, on a free port, until the block ends."""
    environment = {"LEADER_COHORT": str(cohort), "LEADER_MODELS": str(models), "LEADER_TRAINING": "on"}
    if workspace is not None:
        environment["LEADER_WORKSPACE"] = str(workspace)
    with started(["-m", "dashboard", "--port"], environment) as base:
        yield base


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def started(command: list[str], environment: dict[str, str], port: int = 0) -> Iterator[str]:
    """A dashboard in a process of its own, on a free port that is added to the command; gives its address. Ctrl-C ends it,
    and "stopped" is its last word."""
    port = port or free_port()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *command, str(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        base = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{base}/_stcore/health", process)
            yield base
            process.send_signal(signal.SIGINT)
            process.wait(60)
            log.seek(0)
            last = log.read().splitlines()[-3:]
            assert last[-1:] == ["stopped"], last
        finally:
            process.kill()


@pytest.fixture(scope="session")
def models(request: pytest.FixtureRequest) -> Path:
    """The shipped models, or those that LEADER_MODELS names."""
    named = os.environ.get("LEADER_MODELS")
    return Path(named) if named else request.getfixturevalue("demo_models")


@pytest.fixture(scope="session")
def browser(browser_path: Path) -> Iterator[Browser]:
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(browser_path), args=list(QUIET))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> list[BrowserContext]:
    """Contexts that no test uses now. The next test takes one, and need not load and compile Streamlit's scripts again."""
    return []


@pytest.fixture
def visit(browser: Browser, contexts: list[BrowserContext], server: str) -> Iterator[Callable[..., Visitor]]:
    """Start a visitor of the server, whom neither it nor the browser has seen before.

    A module with a server of its own has a fixture `server` for it.
    """
    taken = []

    def start(*, width: int = 1440, height: int = 900, scheme: Literal["light", "dark"] = "light") -> Visitor:
        context = contexts.pop() if contexts else browser.new_context()
        taken.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        visitor = Visitor(page, server)
        visitor.listen()
        return visitor

    expect.set_options(timeout=PATIENCE)
    yield start
    for context in taken:
        _forget(context, server)
    contexts += taken


def _forget(context: BrowserContext, origin: str) -> None:
    """Close the pages of a context, and drop cookies and storage: of the visitor only cached files remain."""
    context.clear_cookies()
    stored = {"origin": origin, "storageTypes": "local_storage"}
    context.new_cdp_session(context.pages[0]).send("Storage.clearDataForOrigin", stored)
    for page in context.pages:
        page.close()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"no answer from {url} within {PATIENCE // 60_000} minutes")
