"""A command's progress for another program to read: JSON lines in a file, each appended whole.

A line is `started` (the settings), `part` (how far a pass is), `epoch` (its metrics and the time left at most) or
`finished`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, Final, TypeVar

from leader_core.errors import InputError
from train.console import Report

T = TypeVar("T")

EVERY: Final = 1.0
"""Seconds between two lines about the same pass."""


class ProgressFile(Report):
    """A report that also appends to a file. One process writes it; any number read it while it grows."""

    def __init__(self, path: Path, *, quiet: bool = False) -> None:
        """
        Raises:
            InputError: the file cannot be created there.
        """
        super().__init__(quiet=quiet)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        except OSError as error:
            raise InputError(
                f"--progress {path}: cannot be written ({error.strerror}). Name another file."
            ) from error
        self._began: float | None = None  # when the first pass of this run began
        self._passes = 0

    def event(self, name: str, **values: Any) -> None:
        """One line, in a single write: a reader sees all of it or nothing."""
        record = {"event": name, **values, "time": round(time.time(), 3)}
        os.write(self._file, (json.dumps(record, ensure_ascii=False) + "\n").encode())

    def epoch(self, row: Mapping[str, float], of: int) -> None:
        """The metrics of a finished epoch, and how long the rest takes if every one of `of` epochs is run."""
        self._passes += 1
        spent = time.monotonic() - (self._began or time.monotonic())
        left = spent / self._passes * (of - row["epoch"])
        self.event("epoch", of=of, seconds_left=round(max(0.0, left), 1), **row)

    def progress(self, items: Iterable[T], *, total: int | None = None, label: str = "") -> Iterable[T]:
        """The items, with a line every now and then that says how many are done."""
        if self._began is None:
            self._began = time.monotonic()
        of = total if total is not None else len(items) if isinstance(items, Sized) else 0
        return self._counted(super().progress(items, total=total, label=label), of, label)

    def _counted(self, items: Iterable[T], of: int, label: str) -> Iterator[T]:
        reported = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            if (now := time.monotonic()) - reported >= EVERY:
                reported = now
                self.event("part", label=label, done=done, of=of)
