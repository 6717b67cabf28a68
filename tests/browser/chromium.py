"""Finds a Chromium for the browser tests, and installs one where the machine lets it.

    python tests/browser/chromium.py

prints the browser's path, or why there is none. Without a browser the journeys skip, saying so; with CI=true a missing
browser is a failure, so that they cannot go missing unseen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

NAMES: Final = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"
)  # fmt: skip
"""The first has no windows of its own to draw, and needs far fewer packages."""
ABSENT: Final = "no Chromium: install one (Debian: apt-get install chromium-headless-shell), or set BROWSER_PATH to its program"


def find() -> Path | None:
    """The browser to drive: BROWSER_PATH, one on the PATH, or Playwright's own."""
    named = os.environ.get("BROWSER_PATH")
    if named:
        return Path(named) if Path(named).is_file() else None
    for name in NAMES:
        if path := shutil.which(name):
            return Path(path)
    return _playwright_own()


def install() -> Path | None:
    """Install a browser by the first means that works here; None where none does."""
    means: list[list[list[str]]] = []
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends"]
        fonts = (
            "fonts-liberation"  # what Debian recommends with Chromium: text is as wide here as on a desktop
        )
        means.append([["apt-get", "update", "-q"], [*install, "chromium-headless-shell", fonts]])
        means.append([[*install, "chromium", fonts]])
    means.append([[sys.executable, "-m", "playwright", "install", "chromium"]])
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for commands in means:
        for command in commands:
            print("trying:", " ".join(command), file=sys.stderr, flush=True)
            try:
                done = subprocess.run(command, env=environment, stdout=sys.stderr, timeout=600, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                print(f"failed: {error}", file=sys.stderr)
                break
            if done.returncode != 0:
                break
        if result := find():
            return result
    return None


def required() -> bool:
    """Whether a missing browser must fail rather than skip."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def _playwright_own() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        path = Path(driver.chromium.executable_path)
    return path if path.is_file() else None


def main() -> int:
    """0 with a path on stdout, or 0 saying that browser tests will skip; 1 under CI without a browser."""
    path = find() or install()
    if path is not None:
        print(f"browser tests will use {path}")
        return 0
    print(f"{ABSENT}. Browser tests will {'fail' if required() else 'skip'}.", file=sys.stderr)
    return 1 if required() else 0


if __name__ == "__main__":
    sys.exit(main())
