"""What a command prints while it works: lines, tables and progress bars on stderr, or JSON lines for another program.

stdout is for results, so that `--json` output can be piped.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from tqdm import tqdm

from leader_core.errors import InputError

T = TypeVar("T")

EVERY: Final = 1.0
"""Seconds between two lines of a `ProgressFile` about the same pass."""


class Report:
    """Progress and messages; bars only on a terminal, tables on stdout unless the result is JSON."""

    silent = False

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: str) -> None:
        """One line of progress, on stderr."""
        if not self.silent:
            print(text, file=sys.stderr, flush=True)

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """An aligned table: numbers to the right, text to the left."""
        if self.silent:
            return
        cells = [[str(c) for c in header]] + [[_cell(c) for c in row] for row in rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
        numeric = [
            all(_is_number(row[i]) for row in cells[1:]) and len(cells) > 1 for i in range(len(header))
        ]
        lines = ["", title]
        for index, row in enumerate(cells):
            lines.append(
                "  ".join(
                    c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True)
                ).rstrip()
            )
            if index == 0:
                lines.append("  ".join("-" * w for w in widths))
        print("\n".join(lines), file=sys.stderr if self.quiet else sys.stdout, flush=True)

    def epoch(self, row: Mapping[str, float], of: int) -> None:
        """The metrics of a finished epoch, of at most `of`; for programs that follow along (`ProgressFile`)."""

    @contextmanager
    def counting(self, total: int, label: str) -> Iterator[Callable[[int], None]]:
        """A bar that is moved on by calls with how many of `total` were done, on a terminal."""
        with self._bar(total=total, desc=label) as bar:
            yield bar.update

    def progress(self, items: Iterable[T], *, total: int | None = None, label: str = "") -> Iterable[T]:
        """Iterate with a progress bar on a terminal, silently elsewhere."""
        bar: Iterable[T] = self._bar(items, total=total, desc=label)
        return bar

    def _bar(self, *items: Iterable[Any], total: int | None, desc: str) -> tqdm:
        hidden = self.silent or not sys.stderr.isatty()
        return tqdm(*items, total=total, desc=desc, disable=hidden, leave=False)


class Silent(Report):
    """A report that says nothing: of what is measured, or of one of several processes that do the same."""

    silent = True


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(text: str) -> bool:
    return (
        bool(text)
        and text[0] in "-0123456789"
        and text.replace(",", "").replace(".", "").lstrip("-").split(" ")[0].isdigit()
    )


class ProgressFile(Report):
    """A report that also appends JSON lines to a file, each written whole, for other programs to read while it grows.

    A line is `started` (the settings), `part` (how far a pass is), `epoch` (its metrics and the time left at most) or
    `finished`.
    """

    def __init__(self, path: Path, *, quiet: bool = False) -> None:
        """
        Raises:
            InputError: the file cannot be created there.
        """
        super().__init__(quiet=quiet)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
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

    @contextmanager
    def counting(self, total: int, label: str) -> Iterator[Callable[[int], None]]:
        """The same, with a line every now and then that says how many are done."""
        done, reported = 0, 0.0

        def step(number: int) -> None:
            nonlocal done, reported
            done += number
            if (now := time.monotonic()) - reported >= EVERY or done >= total:
                reported = now
                self.event("part", label=label, done=done, of=total)

        with super().counting(total, label):
            yield step

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
