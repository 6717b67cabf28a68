"""A report that records the lines it is given."""

from __future__ import annotations

from train.console import Report


class LineReport(Report):
    """Prints nothing; `lines` holds what a command would have printed line by line."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)
