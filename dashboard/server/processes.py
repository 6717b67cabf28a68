"""Processes of this machine, told apart by pid and start: whether one still runs, and how to stop it.

Refuses to know what they do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
STEPS: Final[tuple[tuple[signal.Signals, float], ...]] = (
    (signal.SIGINT, 10.0),
    (signal.SIGTERM, 5.0),
    (signal.SIGKILL, 0.0),
)
"""How a process is asked to stop, and how long each request may take before the next."""


def began(pid: int) -> str:
    """When a running process began, in words that no other process with its pid will ever share; "" if it is gone.

    A process that has ended and only waits to be collected counts as gone.
    """
    if pid <= 0:
        return ""
    if PROC.is_dir():
        try:
            fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
            boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        except OSError:
            return ""
        state, *rest = fields.rpartition(")")[2].split()  # the name before it may hold anything
        return "" if state in "ZX" else f"{boot}:{rest[18]}"
    told = subprocess.run(  # noqa: S603 - a number of ours, no shell
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


def runs(pid: int, start: str) -> bool:
    """Whether this very process is still there."""
    return bool(start) and began(pid) == start


def stop(pid: int, start: str, steps: Sequence[tuple[signal.Signals, float]] = STEPS) -> None:
    """Ask the process and its children to end, then insist; returns at once."""

    def insist() -> None:
        for sign, patience in steps:
            if not runs(pid, start):
                return
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, sign)
            until = time.monotonic() + patience
            while time.monotonic() < until and runs(pid, start):
                time.sleep(0.1)

    threading.Thread(target=insist, name=f"leader-stop-{pid}", daemon=True).start()
