"""Scoring the served cohort from the page: `python -m train scores` as a process of its own, one at a time a server.

The stored scores change only when all of them are there; a cancelled or failed run leaves the earlier ones.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal

import streamlit as st

from dashboard.server import audit
from dashboard.server.access import is_loopback, may_administer, sign_in
from dashboard.server.settings import ROOT, ServerSettings
from dashboard.server.training_runs import start_process, stop
from dashboard.server.training_state import LOG, PROGRESS, began, last_words, read_lines
from leader_core import InputError
from leader_core.files import scratch_folder

SPLITS: Final = ("test", "all")
COMMAND: Final = (sys.executable, "-m", "train", "scores")

ScoringState = Literal["none", "running", "cancelled", "failed", "done"]


def words(settings: ServerSettings, split: str, command: tuple[str, ...] = COMMAND) -> list[str]:
    """The command that scores the served cohort with the served models."""
    cohort, models = settings.cohort.resolve(), settings.models.resolve()
    return [*command, "--cohort", str(cohort), "--models", str(models), "--split", split,
            "--device", settings.device]  # fmt: skip


def typed(settings: ServerSettings, split: str) -> str:
    """The same as typed at a terminal, from whatever folder."""
    return f"cd {shlex.quote(str(ROOT))} && {shlex.join(words(settings, split))}"


def may_score() -> bool:
    """Whether this session may start the one command above: on the server's own machine, or signed in as administrator."""
    here = is_loopback(str(st.get_option("server.address") or ""))
    return may_administer() and (here or bool(sign_in()))


@dataclass
class ScoringRun:
    """The one run of this server. Safe between threads."""

    command: tuple[str, ...] = COMMAND
    reason: str = ""  # why the last one failed
    _folder: Path | None = None  # for progress and messages, as long as anybody may read them
    _leave: ExitStack = field(default_factory=ExitStack)
    _process: subprocess.Popen[bytes] | None = None
    _start: str = ""
    _began: float = 0.0
    _cancelled: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, settings: ServerSettings, split: str) -> None:
        """Start the process.

        Raises:
            InputError: one is running, or it cannot be started.
        """
        if split not in SPLITS:
            raise InputError(f"Unknown split {split!r}: expected {' or '.join(SPLITS)}.")
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                raise InputError("The cohort is being scored already: wait for it, or cancel it first.")
            audit.record("scored", f"{split} cases")
            self._clear()
            folder = self._leave.enter_context(scratch_folder("scores"))
            line = [*words(settings, split, self.command), "--progress", str(folder / PROGRESS)]
            try:
                self._process = start_process(line, folder / "result.txt", folder / LOG)
            except OSError as error:
                self._clear()
                raise InputError(f"The scoring could not be started ({error.strerror}).") from error
            self._folder, self._began, self._cancelled = folder, time.time(), False
            self._start = began(self._process.pid)

    @property
    def state(self) -> ScoringState:
        """How the run stands; "none" where there was none, or its end was taken note of."""
        if self._process is None or self._folder is None:
            return "none"
        code = self._process.poll()
        if code is None:
            return "running"
        if code and self._cancelled:
            return "cancelled"
        if code:
            self.reason = last_words(self._folder / LOG, code)
            return "failed"
        return "done"

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.time() - self._began

    @property
    def cancelling(self) -> bool:
        return self._cancelled

    def progress(self) -> tuple[str, int, int] | None:
        """The model that is scored now, how many of its cases are done, and of how many; None before the first."""
        rows = read_lines(self._folder / PROGRESS) if self._folder else []
        row = next((row for row in reversed(rows) if row.get("event") == "part"), None)
        return None if row is None else (str(row["label"]), int(row["done"]), int(row["of"]))

    def cancel(self) -> None:
        """Ask the process to stop, as Ctrl-C would."""
        if self._process is not None and self.state == "running":
            self._cancelled = True
            stop(self._process.pid, self._start)

    def forget(self) -> None:
        """Take note of a run's end."""
        with self._lock:
            if self.state != "running":
                self._clear()

    def end(self) -> None:
        """The server ends, and a run with it."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        self._clear()

    def _clear(self) -> None:
        self._leave.close()
        self._folder = self._process = None


@cache
def get_scoring_run() -> ScoringRun:
    """The server's one run."""
    return ScoringRun()
