"""One table of the error analysis as a value: screen, CSV and report each render the same cells.

A column stands on screen and in the report under its `heading`, in the CSV under its `csv`; one that has no such name
is left out there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard.server import audit
from dashboard.shared import markup
from dashboard.shared.analysis import format_metric
from dashboard.shared.csv_table import Cell, write_csv
from dashboard.shared.formatting import MISSING
from dashboard.shared.templates import render


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell: its value for the CSV, its text for people, and where a click leads."""

    value: Cell
    text: str
    href: str = ""
    label: str = ""  # of the link, for screen readers


@dataclass(frozen=True, slots=True)
class TableColumn:
    """The names of a column, and where it stands among a row's cells."""

    heading: str
    csv: str
    index: int
    numeric: bool


@dataclass(frozen=True, slots=True)
class AnalysisTable:
    """Columns and rows; rows in `few` stand for few cases and are drawn faint."""

    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    few: frozenset[int] = frozenset()

    @property
    def shown(self) -> tuple[TableColumn, ...]:
        """The columns on screen and in the report."""
        return tuple(column for column in self.columns if column.heading)

    def html(self, screen: bool = True) -> Markup:
        """The table with its links for the screen, or without for the report."""
        return render("error_analysis/table.html", table=self, screen=screen)

    def csv(self) -> bytes:
        """The table as a file."""
        columns = [column for column in self.columns if column.csv]
        return write_csv(
            [column.csv for column in columns],
            [[row[column.index].value for column in columns] for row in self.rows],
        )


ColumnOf = tuple[str, str, Callable[[Any], TableCell | Cell]]
"""(heading, name in the CSV, cell of an item)."""


def table_of(
    items: Iterable[Any], columns: Sequence[ColumnOf], few: Callable[[Any], bool] = lambda _: False
) -> AnalysisTable:
    """A table with one row an item; a column without any text is numeric."""
    every = list(items)
    rows = tuple(tuple(_cell(cell(item)) for _, _, cell in columns) for item in every)
    return AnalysisTable(
        tuple(
            TableColumn(heading, csv, index, not any(isinstance(row[index].value, str) for row in rows))
            for index, (heading, csv, _) in enumerate(columns)
        ),
        rows,
        frozenset(index for index, item in enumerate(every) if few(item)),
    )


def _cell(content: TableCell | Cell) -> TableCell:
    if isinstance(content, TableCell):
        return content
    if isinstance(content, int) and not isinstance(content, bool):
        return TableCell(content, f"{content:,}")
    return TableCell(content, MISSING if content is None else str(content))


def number_cell(value: float | None, form: str = ".2f") -> TableCell:
    """A number in a format's digits; a dash where there is none."""
    if value is None or value != value:
        return TableCell(None, MISSING)
    return TableCell(float(value), format(float(value), form).replace("-", "−"))


def metric_cell(name: str, value: float | None) -> TableCell:
    """A metric in its own digits."""
    return TableCell(None if value is None or value != value else float(value), format_metric(name, value))


def csv_row(name: str, table: Callable[[], AnalysisTable], note: str = "") -> None:
    """Below a table a note at the left, and at the right a button that gives a table as a file, made when it is pressed."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if note:
            st.html(markup.note(note), width="content")
        st.space("stretch")
        audit.download_button(
            "CSV",
            f"error analysis, {name}",
            lambda: table().csv(),
            f"leader-errors-{name}.csv",
            "text/csv",
            key=f"csv-{name}",
        )
