"""What a run's folder says of it: asked for, running, how far, how it ended. Values read from files, nothing started.

Refuses to know who reads them: every server and every tab that looks at the folder sees the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from dashboard.server import processes
from dashboard.server.training_request import Request
from leader_core import InputError

ID: Final = re.compile(r"[0-9a-f]{12}")
State = Literal["running", "cancelling", "done", "failed", "cancelled", "interrupted"]
ENDED: Final[frozenset[State]] = frozenset(("done", "failed", "cancelled", "interrupted"))

RECORD, END, WISH, LOG, PROGRESS, MODEL = (
    "run.json",
    "ended.json",
    "cancel",
    "log.txt",
    "progress.jsonl",
    "model",
)
_TAIL: Final = 8_192  # bytes of a log that hold its last words


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    epochs: tuple[Mapping[str, float], ...] = ()  # a row each, as the command wrote them
    of: int = 0  # epochs at most
    share: float = 0.0  # of the epoch that runs
    cases: int = 0  # training cases
    seconds_left: float | None = None  # at most; patience may end it earlier

    @property
    def fraction(self) -> float:
        """0 to 1, if every epoch is run."""
        return min(1.0, (len(self.epochs) + self.share) / self.of) if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run as its folder tells it."""

    id: str
    folder: Path
    request: Request
    state: State
    began: float  # seconds since 1970, UTC
    ended: float | None
    cohort: str  # digest of the cohort it learns from
    said: str = ""  # why it failed, in the command's own sentence

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def model(self) -> Path:
        return self.folder / MODEL

    @property
    def over(self) -> bool:
        return self.state in ENDED


def read_run(folder: Path, *, watched: bool = False) -> Run | None:
    """A run's folder as it stands now; None for what is no run.

    Args:
        watched: this process waits for its end, so that an end that nobody wrote down yet is no accident.
    """
    record = _json(folder / RECORD)
    if record is None or not ID.fullmatch(folder.name):
        return None
    try:
        request = Request.from_json(record["request"])
        pid, start = int(record["pid"]), str(record["start"])
        moment, cohort = float(record["began"]), str(record["cohort"])
    except (InputError, KeyError, TypeError, ValueError):
        return None
    end = _json(folder / END)
    wished = (folder / WISH).exists()
    state: State
    said = ""
    if end is None and (watched or processes.runs(pid, start)):
        state = "cancelling" if wished else "running"
    elif (folder / MODEL / "manifest.json").is_file() and (end is None or end.get("code") == 0):
        state = "done"
    elif wished:
        state = "cancelled"
    elif end is None or end.get("code") is None:
        state = "interrupted"
    else:
        state, said = "failed", last_words(folder / LOG, int(end["code"]))
    ended = float(end["at"]) if end and "at" in end else None
    return Run(folder.name, folder, request, state, moment, ended, cohort, said)


def read_progress(folder: Path, now: float) -> Progress:
    """How far the run in a folder is at `now` (seconds since 1970); what is not known yet stays empty."""
    rows, epochs = _lines(folder / PROGRESS), []
    of, cases, share = 0, 0, 0.0
    first: float | None = None  # when the first epoch began
    last: Mapping[str, Any] = {}
    for row in rows:
        event = row.get("event")
        if event == "started":
            of, cases, first = int(row["epochs"]), int(row["training_cases"]), float(row["time"])
        elif event == "epoch":
            epochs.append({k: float(v) for k, v in row.items() if isinstance(v, int | float)})
            share, last = 0.0, row
        elif event == "part" and row.get("of"):
            share = float(row["done"]) / float(row["of"])
    left: float | None = None
    if last:
        left = float(last["seconds_left"]) - max(0.0, now - float(last["time"]))
    elif first is not None and share > 0:
        left = (now - first) / share * of - (now - first)
    return Progress(tuple(epochs), of, share, cases, None if left is None else max(0.0, left))


def last_words(log: Path, code: int) -> str:
    """Why the command failed: its own sentence, else what it said last."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines()]
    except OSError:
        lines = []
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if told:
        return told[-1]
    if code < 0:
        return f"The system ended it (signal {-code}); signal 9 often means that memory ran out."
    spoken = next((line for line in reversed(lines) if line), "")
    return f"The command ended with code {code}" + (f": {spoken[:300]}" if spoken else ", without a word.")


def _json(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that may be growing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in text.split("\n")[:-1]:  # what stands behind the last line break is not finished
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found
