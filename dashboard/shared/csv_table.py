"""Tables as CSV that a spreadsheet only shows: text that would be taken for a formula is quoted as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters, full-width forms included, that make spreadsheets calculate (OWASP, "CSV injection")."""

Cell = str | int | float | bool | None


def write_csv(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """UTF-8 with a byte order mark, so that spreadsheets read accents; numbers stay numbers.

    >>> write_csv(["name", "n"], [["=1+1", -2.5], ["Ménière", None]]).decode("utf-8-sig")
    "name,n\\r\\n'=1+1,-2.5\\r\\nMénière,\\r\\n"
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([safe_cell(text) for text in headings])
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def safe_cell(value: Cell) -> str | int | float:
    """A cell that no spreadsheet takes for a formula; also where blanks stand before the sign."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
