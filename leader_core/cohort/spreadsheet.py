"""Tables that went through a spreadsheet or a data frame: dates in its notation, ICD codes that became numbers.

What can mean only one thing is read so and counted; what can mean two is refused, naming a cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from leader_core.cohort.raw_tables import RawTable
from leader_core.errors import InputError
from leader_core.terminology.icd import System, is_listed

_DATES: Final = {
    "admissions": "SELECT row_number() OVER () AS record, unnest(['admittime', 'dischtime']) AS name, "
    "unnest([admittime, dischtime]) AS cell FROM raw_file",
    "patients": "SELECT row_number() OVER () AS record, 'dob' AS name, dob AS cell FROM raw_file",
}
DATED: Final = frozenset(_DATES)
"""Tables whose dates may have been rewritten."""

_FORMULA: Final = re.compile(r'="[^"]*"')
FORMULAS_READ: Final = (
    '{name}: cells written ="…", as for a spreadsheet, were read as what stands between the quotes.'
)
_STROKES: Final = re.compile(r"\s*([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})(?![0-9])")
_LARGE: Final = 1_000  # rows of ICD-9 codes from which the lack of any leading zero is worth a note


def has_formulas(table: RawTable) -> bool:
    """Whether cells are written as formulas that give a text, like ="0389"; by the table's first rows."""
    return any(_FORMULA.fullmatch(cell) for row in table.first_rows for cell in row)


def day_first(connection: duckdb.DuckDBPyConnection, table: RawTable) -> str | None:
    """Which number of dates like 5/13/2160 is the day, of the table that stands in `raw_file`: "yes" the first, "no".

    None where no date is written so.

    Raises:
        InputError: every date may be read both ways, or some only one way and others only the other; names a cell.
    """
    if not any(_STROKES.match(cell) for row in table.first_rows for cell in row):
        return None
    if table.name == "patients" and "dob" not in table.columns:
        return None
    only_first = only_second = None
    some: tuple[int, str, str] | None = None
    rows = connection.execute(_DATES[table.name])
    while batch := rows.fetchmany(50_000):
        for record, name, cell in batch:
            if cell is None or (match := _STROKES.match(cell)) is None:
                continue
            some = some or (record, name, cell)
            if int(match[1]) > 12:
                only_first = only_first or (record, name, cell)
            elif int(match[2]) > 12:
                only_second = only_second or (record, name, cell)
    if some is None:
        return None
    if only_first is None and only_second is None:
        raise InputError(
            f"{_cell(table, some)} may mean two dates, and no date of the table shows which number is the day. "
            "Write the dates as 2160-05-01 10:00:00, as PhysioNet does."
        )
    if only_first is not None and only_second is not None:
        raise InputError(
            f"{_cell(table, only_first)} has the day first, and {_cell(table, only_second)} the month. "
            "Write all dates as 2160-05-01 10:00:00, as PhysioNet does."
        )
    return "yes" if only_first is not None else "no"


def _cell(table: RawTable, place: tuple[int, str, str]) -> str:
    record, name, cell = place
    return f"{table.path}, line {record + 1}, column {name}: {cell!r}"


@dataclass(frozen=True, slots=True)
class RestoredCodes:
    """Codes as they were before a program read them as numbers."""

    codes: Mapping[tuple[str, str, str | None], str]  # (kind, as written, version) -> as it was
    notes: tuple[str, ...]


_TABLES: Final = {"diagnosis": "diagnoses_icd", "procedure": "procedures_icd"}
_NUMERIC: Final[Mapping[System, tuple[str, str]]] = {
    "ICD9": ("diagnosis", "9"),
    "ICD9PCS": ("procedure", "9"),
    "ICD10PCS": ("procedure", "10"),
}
_WIDTHS: Final[Mapping[System, tuple[int, ...]]] = {"ICD9": (3, 4, 5), "ICD9PCS": (2, 3, 4), "ICD10PCS": (7,)}


def restore_codes(distinct: Iterable[Sequence[Any]]) -> RestoredCodes:
    """Codes that lost their leading zeros or got a ".0", for distinct `(kind, code, version, rows)`.

    A kind of code lost its zeros where none begins with one and some are listed only with zeros put back. Each is then
    restored where only one code fits.

    Raises:
        InputError: codes of such a table that fit several listed codes.
    """
    rows = [
        (kind, code, (version or "").strip().removesuffix(".0"), version, n)
        for kind, code, version, n in distinct
    ]
    restored: dict[tuple[str, str, str | None], str] = {}
    notes: list[str] = []
    for system, (kind, number) in _NUMERIC.items():
        table = {(code.strip(), version): n for k, code, v, version, n in rows if k == kind and v == number}
        codes, of_system = _restore(kind, system, table)
        restored |= codes
        notes += of_system
    return RestoredCodes(restored, tuple(notes))


def _restore(
    kind: str, system: System, table: Mapping[tuple[str, str | None], int]
) -> tuple[dict[tuple[str, str, str | None], str], list[str]]:
    """The same for one kind and version: `table` is (code as written, version as written) -> rows."""
    name = _TABLES[kind]
    restored: dict[tuple[str, str, str | None], str] = {}
    notes: list[str] = []
    plain = {key: key[0] for key in table}
    if any(re.fullmatch(r"[0-9]{4,}\.0", code) for code, _ in table):
        plain = {key: key[0].removesuffix(".0") for key in table}
        decimals = {key: code for key, code in plain.items() if code != key[0]}
        restored |= {(kind, *key): code for key, code in decimals.items()}
        count = sum(table[key] for key in decimals)
        notes.append(
            f"{name}: {count:,} codes written as decimal numbers (4019.0) were read without the point."
        )
    digits = {key: code for key, code in plain.items() if re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,2})?", code)}
    total = sum(table[key] for key in digits)
    if not digits or any(code.startswith("0") for code in digits.values()):
        return restored, notes
    candidates = {key: _fitting(system, code) for key, code in digits.items()}
    lost = {
        key: options[0]
        for key, options in candidates.items()
        if len(options) == 1 and options[0] != digits[key]
    }
    twofold = {key: options for key, options in candidates.items() if len(options) > 1}
    evidence = {key: options for key, options in candidates.items() if options and digits[key] not in options}
    unlisted = sum(table[key] for key, options in candidates.items() if not options)
    if sum(table[key] for key in evidence) <= unlisted:
        if total >= _LARGE and system != "ICD10PCS":
            notes.append(
                f"{name}: none of {total:,} {system} codes begins with 0, which is unusual. If the table went through a "
                "spreadsheet, export it again with the codes as text."
            )
        return restored, notes
    if twofold:
        (code, _), options = min(twofold.items(), key=lambda item: (-table[item[0]], item[0][0]))
        raise InputError(
            f"The codes of {name} were read as numbers by a spreadsheet or another program: none of {total:,} {system} "
            f"codes begins with 0. {sum(map(table.__getitem__, lost)):,} rows fit one code with the zeros put back, but "
            f"{sum(map(table.__getitem__, twofold)):,} rows fit several ({code} may be {' or '.join(options)}). Take the "
            "original file, or export it again with the codes as text."
        )
    (code, _), whole = min(lost.items(), key=lambda item: (-table[item[0]], item[0][0]))
    notes.append(
        f"{name}: the leading zeros of {sum(map(table.__getitem__, lost)):,} {system} codes were lost in a spreadsheet "
        f"or another program, and put back where only one code fits ({code} is {whole})."
    )
    return restored | {(kind, *key): code for key, code in lost.items()}, notes


def _fitting(system: System, code: str) -> tuple[str, ...]:
    """The listed codes that a number may stand for: itself, or with zeros in front."""
    whole, dot, rest = code.partition(".")
    widths = _WIDTHS[system]
    options = {f"{whole.zfill(widths[0])}.{rest}"} if dot else {code, *map(code.zfill, widths)}
    return tuple(sorted(option for option in options if is_listed(system, option.replace(".", ""))))
