"""Scoring the served cohort from the page: `python -m train scores` as a process of its own, one at a time a server.

The stored scores change only when all of them are there; a cancelled or failed run leaves the earlier ones.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import streamlit as st

from dashboard.server.serving import is_loopback, may_administer, sign_in
from dashboard.server.settings import ROOT, ServerSettings
from dashboard.server.training_runs import stop
from dashboard.server.training_state import began, last_words, read_lines
from leader_core import InputError

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


@dataclass(frozen=True, slots=True)
class ScoringProgress:
    """How far a run is: each model's cases done and all of them, in the order in which they are scored."""

    parts: tuple[tuple[str, int, int], ...] = ()  # (model, done, of)

    @property
    def fraction(self) -> float:
        """0 to 1 of the model that is scored now."""
        return self.parts[-1][1] / max(1, self.parts[-1][2]) if self.parts else 0.0


@dataclass
class ScoringRun:
    """The one run of this server. Safe between threads."""

    command: tuple[str, ...] = COMMAND
    reason: str = ""  # why the last one failed
    _folder: Path | None = None
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
            self._clear()
            folder = Path(tempfile.mkdtemp(prefix="leader-scores-"))
            line = [*words(settings, split, self.command), "--progress", str(folder / "progress.jsonl")]
            if nice := shutil.which("nice"):  # the pages go first
                line = [nice, "-n", "10", *line]
            one_left = str(max(1, (os.cpu_count() or 2) - 1))
            environment = {"OMP_NUM_THREADS": one_left, **os.environ, "PYTHONPATH": str(ROOT)}
            try:
                with (folder / "log.txt").open("wb") as log:
                    self._process = subprocess.Popen(  # noqa: S603 - words of ours, no shell
                        line, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=log, start_new_session=True,
                    )  # fmt: skip
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
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
            self.reason = last_words(self._folder / "log.txt", code)
            return "failed"
        return "done"

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.time() - self._began

    @property
    def cancelling(self) -> bool:
        return self._cancelled

    def progress(self) -> ScoringProgress:
        """What the process has written of itself."""
        parts: dict[str, tuple[int, int]] = {}
        rows: list[dict[str, Any]] = read_lines(self._folder / "progress.jsonl") if self._folder else []
        for row in rows:
            if row.get("event") == "part":
                parts[str(row["label"])] = (int(row["done"]), int(row["of"]))
        return ScoringProgress(tuple((name, done, of) for name, (done, of) in parts.items()))

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

    def _clear(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._process = None


@st.cache_resource(show_spinner=False)
def get_scoring_run() -> ScoringRun:
    """The server's one run."""
    return ScoringRun()
