"""What a command prints while it works: lines, tables and progress bars on stderr.

stdout is kept for results, so that `--json` output can be piped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


class Report:
    """Progress and messages; bars only on a terminal, tables on stdout unless the result is JSON."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: str) -> None:
        """One line of progress, on stderr."""
        print(text, file=sys.stderr, flush=True)

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """An aligned table: numbers to the right, text to the left."""
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
        """The metrics of a finished epoch, of at most `of`; for programs that follow along (`train.progress`)."""

    def progress(self, items: Iterable[T], *, total: int | None = None, label: str = "") -> Iterable[T]:
        """Iterate with a progress bar on a terminal, silently elsewhere."""
        return tqdm(items, total=total, desc=label, disable=not sys.stderr.isatty(), leave=False)


class Silent(Report):
    """A report that says nothing: of what is measured, or of one of several processes that do the same."""

    def line(self, text: str) -> None:
        """Nothing."""

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Nothing."""

    def progress(self, items: Iterable[T], *, total: int | None = None, label: str = "") -> Iterable[T]:
        """The items."""
        return items


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    return (
        bool(text)
        and text[0] in "-0123456789"
        and text.replace(",", "").replace(".", "").lstrip("-").split(" ")[0].isdigit()
    )
