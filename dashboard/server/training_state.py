"""A training run as its folder says it: its settings, whether it runs, how far it is, how it ended. Nothing is started here.

Every server and every tab that looks at the folder sees the same.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import tomli_w

from leader_core import InputError

PRESETS: Final[Mapping[str, str]] = {"default": "Ours (default)", "paper": "As published (paper)"}
MOST_EPOCHS: Final = 500

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Addition:
    """One switch of the student: what it is called, and what the configuration says with and without it."""

    label: str
    short: str
    on: tuple[Values, Values]  # of [student] and of [student.training]
    off: tuple[Values, Values]


ADDITIONS: Final[Mapping[str, Addition]] = {
    "recency": Addition("Recency of visits", "recency", ({"recency": True}, {}), ({"recency": False}, {})),
    "current": Addition(
        "Current visit apart",
        "current visit apart",
        ({"current_apart": True}, {}),
        ({"current_apart": False}, {}),
    ),
    "titles": Addition("Titles of codes", "titles", ({"code_text": True}, {}), ({"code_text": False}, {})),
    "visits": Addition(
        "Every visit teaches", "every visit", ({}, {"targets": "all"}), ({}, {"targets": "last"})
    ),
    "calibrate": Addition(
        "Calibrated probabilities", "calibrated", ({}, {"calibrate": True}), ({}, {"calibrate": False})
    ),
    "no-profile": Addition("Without the profile", "no profile", ({"profile_fields": []}, {}), ({}, {})),
}
"""What each does stands in the specification of the method; the command checks the values again."""

USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "default": ("recency", "current", "titles", "visits", "calibrate"),
    "paper": ("calibrate",),
}
"""What is switched on at first: the preset's own additions (a test compares), and probabilities that mean something."""


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """A student to train.

    Raises:
        InputError: values out of range, all of them named.
    """

    preset: str = "default"
    epochs: int = 12
    patience: int = 12
    seed: int = 42
    distilled: bool = False
    visits: int = 0  # of the training split that the teacher reads for it; 0: the stored states, as they are
    additions: tuple[str, ...] = USUAL["default"]

    def __post_init__(self) -> None:
        problems = []
        if self.preset not in PRESETS:
            problems.append(f"preset {self.preset!r}: expected {' or '.join(map(repr, PRESETS))}")
        problems += [
            f"{name} {getattr(self, name)}: expected 1 to {MOST_EPOCHS}"
            for name in ("epochs", "patience")
            if not 1 <= getattr(self, name) <= MOST_EPOCHS
        ]
        if not 0 <= self.seed < 2**31:
            problems.append(f"seed {self.seed}: expected 0 to {2**31 - 1}")
        if self.visits < 0 or (self.visits and not self.distilled):
            problems.append(f"visits {self.visits}: expected 0, or a number of visits of a distilled student")
        if strange := [name for name in self.additions if name not in ADDITIONS]:
            problems.append(f"unknown additions {', '.join(strange)}")
        if problems:
            raise InputError("; ".join(problems) + ".")

    @property
    def name(self) -> str:
        """Short enough for the frame of every page: what sets this student apart."""
        usual, given = set(USUAL[self.preset]), set(self.additions)
        parts = [f" + {ADDITIONS[key].short}" for key in ADDITIONS if key in given - usual]
        parts += [f" - {ADDITIONS[key].short}" for key in ADDITIONS if key in usual - given]
        taught = f", distilled on {self.visits:,} visits" if self.visits else ""
        return f"{self.preset}{''.join(parts)}{taught}, seed {self.seed}"

    @property
    def sentence(self) -> str:
        """Every setting, in words."""
        added = ", ".join(ADDITIONS[key].label.lower() for key in self.additions) or "no additions"
        taught = "distilled" if self.distilled else "undistilled"
        taught += f" on {self.visits:,} training visits" if self.visits else ""
        return (
            f"{PRESETS[self.preset]}, {taught}, {added}; at most "
            f"{self.epochs} {'epoch' if self.epochs == 1 else 'epochs'}, patience {self.patience}, seed {self.seed}"
        )

    @property
    def file_name(self) -> str:
        """The configuration's name: the manifest keeps it as the preset."""
        return "+".join([self.preset, *(key for key in ADDITIONS if key in self.additions)]) + ".toml"

    def toml(self) -> str:
        """The configuration file that the command reads; it says every addition, whatever the preset has."""
        student: dict[str, Any] = {}
        training: dict[str, Any] = {"epochs": self.epochs, "patience": self.patience}
        for key, addition in ADDITIONS.items():
            own, taught = addition.on if key in self.additions else addition.off
            student.update(own)
            training.update(taught)
        record = {"extends": self.preset, "seed": self.seed, "student": {**student, "training": training}}
        return tomli_w.dumps(record)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`.

        Raises:
            InputError: a record of another shape.
        """
        try:
            return cls(**{**record, "additions": tuple(record["additions"])})
        except (TypeError, KeyError) as error:
            raise InputError(f"This is no training request ({error}).") from error


ID: Final = re.compile(r"[0-9a-f]{12}")
State = Literal["running", "cancelling", "done", "failed", "cancelled", "interrupted"]
ENDED: Final[frozenset[State]] = frozenset(("done", "failed", "cancelled", "interrupted"))

RECORD, END, CANCEL, LOG, PROGRESS, MODEL = (
    "run.json",
    "ended.json",
    "cancel",
    "log.txt",
    "progress.jsonl",
    "model",
)
_TAIL: Final = 8_192  # bytes of a log that hold its last words


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far a run is."""

    epochs: tuple[Mapping[str, float], ...] = ()  # a row each, as the command wrote them
    of: int = 0  # epochs at most
    share: float = 0.0  # of the epoch that runs
    cases: int = 0  # training cases
    seconds_left: float | None = None  # at most; patience may end it earlier
    read: int = 0  # visits that the teacher has read, before the first epoch
    to_read: int = 0

    @property
    def reading(self) -> bool:
        """Does the teacher still read?"""
        return 0 < self.read < self.to_read and not self.of

    @property
    def fraction(self) -> float:
        """0 to 1 of what is done now: of the teacher's reading, then of the epochs if every one is run."""
        if self.reading:
            return self.read / self.to_read
        return min(1.0, (len(self.epochs) + self.share) / self.of) if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run as its folder tells it."""

    id: str
    folder: Path
    request: TrainingRequest
    state: State
    began: float  # seconds since 1970, UTC
    ended: float | None
    cohort: str  # digest of the cohort it learns from
    reason: str = ""  # why it failed, in the command's own sentence

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
    record = read_record(folder / RECORD)
    if record is None or not ID.fullmatch(folder.name):
        return None
    try:
        request = TrainingRequest.from_json(record["request"])
        pid, start = int(record["pid"]), str(record["start"])
        moment, cohort = float(record["began"]), str(record["cohort"])
    except (InputError, KeyError, TypeError, ValueError):
        return None
    end = read_record(folder / END)
    cancelled = (folder / CANCEL).exists()
    state: State
    reason = ""
    if end is None and (watched or is_alive(pid, start)):
        state = "cancelling" if cancelled else "running"
    elif (folder / MODEL / "manifest.json").is_file() and (end is None or end.get("code") == 0):
        state = "done"
    elif cancelled:
        state = "cancelled"
    elif end is None or end.get("code") is None:
        state = "interrupted"
    else:
        state, reason = "failed", last_words(folder / LOG, int(end["code"]))
    ended = float(end["at"]) if end and "at" in end else None
    return Run(folder.name, folder, request, state, moment, ended, cohort, reason)


def read_progress(folder: Path, now: float) -> TrainingProgress:
    """How far the run in a folder is at `now` (seconds since 1970); what is not known yet stays empty."""
    rows, epochs = read_lines(folder / PROGRESS), []
    of, cases, share = 0, 0, 0.0
    reading: list[Mapping[str, Any]] = []  # how far the teacher was
    first: float | None = None  # when the first epoch began
    last: Mapping[str, Any] = {}
    for row in rows:
        event = row.get("event")
        if event == "started":
            of, cases, first = int(row["epochs"]), int(row["training_cases"]), float(row["time"])
        elif event == "epoch":
            epochs.append({k: float(v) for k, v in row.items() if isinstance(v, int | float)})
            share, last = 0.0, row
        elif event == "part" and row.get("label") == "states":
            reading.append(row)
        elif event == "part" and row.get("of"):
            share = float(row["done"]) / float(row["of"])
    left: float | None = None
    if last:
        left = float(last["seconds_left"]) - max(0.0, now - float(last["time"]))
    elif first is not None and share > 0:
        left = (now - first) / share * of - (now - first)
    read, to_read = (int(reading[-1]["done"]), int(reading[-1]["of"])) if reading else (0, 0)
    if reading and not of and read > int(reading[0]["done"]):
        rate = (read - int(reading[0]["done"])) / (
            float(reading[-1]["time"]) - float(reading[0]["time"]) or 1.0
        )
        left = (to_read - read) / rate - (now - float(reading[-1]["time"]))
    left = None if left is None else max(0.0, left)
    return TrainingProgress(tuple(epochs), of, share, cases, left, read, to_read)


def last_words(log: Path, code: int) -> str:
    """Why the command failed: its own sentence, else what it said last."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines()]
    except OSError:
        lines = []
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if errors:
        return errors[-1]
    if code < 0:
        return f"The system ended it (signal {-code}); signal 9 often means that memory ran out."
    last = next((line for line in reversed(lines) if line), "")
    return f"The command ended with code {code}" + (f": {last[:300]}" if last else ", without a word.")


def read_record(path: Path) -> dict[str, Any] | None:
    """The JSON object of a file; None where there is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that may be growing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    records = []
    for line in text.split("\n")[:-1]:  # what stands behind the last line break is not finished
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


PROC: Final = Path("/proc")


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
    listed = subprocess.run(  # noqa: S603 - a number of ours, no shell
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return listed.stdout.strip()


def is_alive(pid: int, start: str) -> bool:
    """Whether this very process is still there."""
    return bool(start) and began(pid) == start
