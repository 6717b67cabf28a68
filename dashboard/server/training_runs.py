"""Training runs started from the page: each a process of its own, its state in a folder that outlives page and server.

One runs at a time in a runs folder, across all servers: each calls `python -m train student` and reads its output.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.server import audit
from dashboard.server.settings import ROOT, ServerSettings, read_settings
from dashboard.server.training_state import (
    CANCEL,
    END,
    ID,
    LOG,
    MODEL,
    PROGRESS,
    RECORD,
    Run,
    TrainingRequest,
    began,
    is_alive,
    read_record,
    read_run,
)
from leader_core import InputError, NotFoundError
from leader_core.files import write_json, write_text
from leader_core.workspace import default_path

COMMAND: Final[tuple[str, ...]] = (sys.executable, "-m", "train", "student")
_LOCK: Final = ".lock"
STEPS: Final[tuple[tuple[signal.Signals, float], ...]] = (
    (signal.SIGINT, 10.0),
    (signal.SIGTERM, 5.0),
    (signal.SIGKILL, 0.0),
)
"""The signals that stop a process, and how long to wait after each before the next."""


@dataclass(frozen=True, slots=True)
class TrainingSources:
    """What a run learns from."""

    cohort: Path
    digest: str  # of the cohort
    states: Path | None = None  # of the teacher; needed where the student is to be distilled
    teacher: Path | None = None  # the teacher that makes these states first, where they are not there yet
    device: str = "auto"


class TrainingRuns:
    """The runs of one folder. Safe between threads, tabs and servers."""

    def __init__(self, folder: Path, command: Sequence[str] = COMMAND) -> None:
        """Runs whose process is gone and that nobody saw end are closed here: the server was stopped meanwhile."""
        self.folder = folder
        self._command = tuple(command)
        self._watched: set[str] = set()
        for run in self.all():
            if run.state == "interrupted" or (run.over and run.ended is None):
                _close(run.folder, 0 if run.state == "done" else None)

    def all(self) -> tuple[Run, ...]:
        """Every run, newest first."""
        try:
            folders = [path for path in self.folder.iterdir() if ID.fullmatch(path.name)]
        except OSError:
            return ()
        runs = (read_run(path, watched=path.name in self._watched) for path in folders)
        return tuple(sorted((run for run in runs if run is not None), key=lambda run: -run.began))

    def get(self, name: str) -> Run | None:
        """A run by its id; None for anything else, however it is written."""
        if not ID.fullmatch(name):
            return None
        return read_run(self.folder / name, watched=name in self._watched)

    @property
    def busy(self) -> Run | None:
        """The run that has not ended."""
        return next((run for run in self.all() if not run.over), None)

    def start(self, request: TrainingRequest, sources: TrainingSources) -> str:
        """Start a run; returns its id at once.

        Raises:
            InputError: another run has not ended, states are missing, or the folder cannot be written.
        """
        if request.distilled and sources.states is None:
            raise InputError("A distilled student needs stored states of this teacher, and there are none.")
        with self._alone():
            if (other := self.busy) is not None:
                raise InputError(
                    f"“{other.name}” is being trained: one run at a time. Wait for it, or cancel it first."
                )
            name = secrets.token_hex(6)
            audit.record("trained", f"student {name}")
            folder = self.folder / name
            try:
                folder.mkdir()
                write_text(folder / request.file_name, request.toml())
                process = self._spawn(folder, request, sources)
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise InputError(f"The training could not be started ({error.strerror}).") from error
            self._watched.add(name)
            record = {
                "request": request.to_json(),
                "pid": process.pid,
                "start": began(process.pid),
                "began": time.time(),
                "cohort": sources.digest,
            }
            write_json(folder / RECORD, record)
            threading.Thread(
                target=self._watch, args=(name, process), name=f"leader-run-{name}", daemon=True
            ).start()
            return name

    def cancel(self, name: str) -> None:
        """Ask a run to stop, as Ctrl-C would; what was trained before stays as it is."""
        run = self.get(name)
        if run is None or run.over:
            return
        audit.record("cancelled", f"training of student {name}")
        (run.folder / CANCEL).touch()
        record = read_record(run.folder / RECORD) or {}
        stop(record["pid"], record["start"])

    def delete(self, name: str) -> None:
        """Remove a run that has ended, with its model.

        Raises:
            NotFoundError: no such run.
            InputError: it has not ended.
        """
        run = self.get(name)
        if run is None:
            raise NotFoundError("This run is not there any more.")
        if not run.over:
            raise InputError("This run has not ended: cancel it first.")
        audit.record("deleted", f"student {name}")
        shutil.rmtree(run.folder, ignore_errors=True)

    def _spawn(
        self, folder: Path, request: TrainingRequest, sources: TrainingSources
    ) -> subprocess.Popen[bytes]:
        words = [*self._command, "--cohort", str(sources.cohort), "--out", str(folder / MODEL)]
        words += ["--config", str(folder / request.file_name), "--device", sources.device]
        words += ["--progress", str(folder / PROGRESS), "--json"]
        if "titles" in request.additions:
            words += ["--titles", str(self.folder / "titles")]  # the same for every run: read once
        if request.distilled:
            words += ["--states", str(sources.states)]
            if sources.teacher is not None:
                words += ["--teacher", str(sources.teacher)]
                words += ["--teacher-visits", str(request.visits)] if request.visits else []
        return start_process(words, folder / "result.json", folder / LOG)

    def _watch(self, name: str, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        _close(self.folder / name, code)
        self._watched.discard(name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else starts a run in this folder meanwhile, in whatever process."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / _LOCK).open("w")
        except OSError as error:
            raise InputError(
                f"Runs cannot be stored in {self.folder} ({error.strerror}). Name a folder that can be written "
                "with LEADER_RUNS."
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _close(folder: Path, code: int | None) -> None:
    """Write down how a run ended (None: nobody saw it), and take away what only a running one needs."""
    if not folder.is_dir():
        return
    for half in folder.glob(f"*{MODEL}.training.safetensors*"):
        half.unlink(missing_ok=True)
    for half in folder.glob(f".{MODEL}.*"):
        shutil.rmtree(half, ignore_errors=True)
    write_json(folder / END, {"code": code, "at": time.time()})


def find_states(folders: Sequence[Path], teacher: str, cohort: str, *, sample: bool = False) -> Path | None:
    """The first folder of states that this teacher stored for this cohort's visits; None where there is none.

    Args:
        folders: where to look, each perhaps absent.
        teacher: digest of the teacher's weights.
        cohort: digest of the cohort.
        sample: whether states of some training visits only will do.
    """
    for folder in folders:
        index = read_record(folder / "index.json") or {}
        same = (index.get("cohort_digest"), index.get("teacher_digest")) == (cohort, teacher)
        if same and index.get("targets", "all") == "all" and (sample or "sample" not in index):
            return folder
    return None


def runs_folder(settings: ServerSettings) -> Path:
    """Where runs are stored: the folder that was named, or one next to the workspace."""
    return settings.runs or (settings.workspace or default_path(settings.cohort)).with_suffix(".runs")


def get_runs() -> TrainingRuns:
    """The server's one view of its runs."""
    return _open_runs(runs_folder(read_settings()))


@st.cache_resource(show_spinner=False)
def _open_runs(folder: Path) -> TrainingRuns:
    return TrainingRuns(folder)


def start_process(words: Sequence[str], out: Path, log: Path) -> subprocess.Popen[bytes]:
    """Run a command after the pages (nice), on all processors but one; `out` and `log` take what it says and its errors."""
    if nice := shutil.which("nice"):
        words = [nice, "-n", "10", *words]
    one_left = str(max(1, (os.cpu_count() or 2) - 1))
    environment = {"OMP_NUM_THREADS": one_left, **os.environ, "PYTHONPATH": str(ROOT)}
    with out.open("wb") as stdout, log.open("wb") as stderr:
        return subprocess.Popen(  # noqa: S603 - words of ours, no shell
            words,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C at the server's terminal is not meant for it
        )


def stop(pid: int, start: str, steps: Sequence[tuple[signal.Signals, float]] = STEPS) -> None:
    """Ask a process and its children to end, then insist; returns at once."""

    def insist() -> None:
        for sign, patience in steps:
            if not is_alive(pid, start):
                return
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, sign)
            until = time.monotonic() + patience
            while time.monotonic() < until and is_alive(pid, start):
                time.sleep(0.1)

    threading.Thread(target=insist, name=f"leader-stop-{pid}", daemon=True).start()
