"""Raw tables opened for SQL one after the other, while the files of the next are checked in a thread of their own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from leader_core.cohort import eicu
from leader_core.cohort.raw_files import CheckedFile, check_file
from leader_core.cohort.raw_tables import RawFolder, RawTable
from leader_core.cohort.sources import SOURCES
from leader_core.cohort.spreadsheet import DATED, FORMULAS_READ, day_first, has_formulas
from leader_core.cohort.statements import run
from leader_core.domain import Kind
from leader_core.errors import InputError

_LONGEST_REJECT: Final = 10_000  # characters of a rejected line that the reader keeps
_EMPTY_TABLES: Final = (
    # Lines that the reader set aside, and unreadable cells by the number of their record (filled on a second look).
    'CREATE TEMP TABLE unreadable_lines (source_table VARCHAR, line BIGINT, "column" VARCHAR, value VARCHAR, '
    "reason VARCHAR, rows BIGINT)",
    'CREATE TEMP TABLE unreadable_cells (source_table VARCHAR, record BIGINT, "column" VARCHAR, value VARCHAR, '
    "reason VARCHAR)",
    # Diagnoses and procedures, and the titles of the hospital's own dictionaries where these are present.
    "CREATE TEMP TABLE raw_codes (kind VARCHAR, patient_id BIGINT, visit_id BIGINT, sequence BIGINT, "
    "icd_code VARCHAR, icd_version VARCHAR, unreadable_id BOOLEAN, unreadable_sequence BOOLEAN)",
    # Codes after the first of a row that names several.
    "CREATE TEMP TABLE further_codes (patient_id BIGINT, visit_id BIGINT, sequence BIGINT, icd_code VARCHAR, "
    "icd_version VARCHAR)",
    "CREATE TEMP TABLE hospital_titles (kind VARCHAR, icd_code VARCHAR, icd_version VARCHAR, title VARCHAR)",
)
_SWALLOWED: Final = """
SELECT min(line) AS line FROM unreadable_lines
WHERE source_table = $table AND length(value) >= $longest AND reason = 'unreadable line: quotes do not match'
HAVING count(*) > 0
"""


class RawReader:
    """Reads the tables of one folder into staging tables of one connection."""

    def __init__(
        self, raw: RawFolder, folder: Path, connection: duckdb.DuckDBPyConnection, pool: ThreadPoolExecutor
    ) -> None:
        self.raw = raw
        self.connection = connection
        self.notes = list(raw.notes)
        self._day_first: dict[str, str] = {}
        self._checks: dict[str, list[Future[CheckedFile]]] = {
            name: [pool.submit(check_file, path, folder / name, raw.sums) for path in table.paths]
            for name, table in raw.tables.items()
        }
        run(connection, "raw/functions")
        for statement in _EMPTY_TABLES:
            connection.execute(statement)

    def digests(self) -> dict[str, str]:
        """File name -> SHA-256 of every file, in the folder's terms."""
        digests = {}
        for name, table in self.raw.tables.items():
            for path, check in zip(table.paths, self._checks[name], strict=True):
                key = path.name if len(table.paths) == 1 else f"{name}/{path.name}"
                digests[key] = check.result().digest
        return digests

    def read(self, name: str, *, by_ndc: bool) -> None:
        """One raw table into its staging table; lines that cannot be read go to `unreadable_lines`.

        Raises:
            InputError: a file that is damaged or cannot be read.
        """
        table = self.raw[name]
        checked = [check.result() for check in self._checks[name]]
        self.notes += [file.note for file in checked if file.note is not None]
        with self.opened(name):
            if name in DATED and (order := day_first(self.connection, table)) is not None:
                self._day_first[name] = order
                self._set("day_first", order)
                self.notes.append(f"{table.path.name}: dates written as {_ORDERS[order]} were read as such.")
            if has_formulas(table):
                self.notes.append(FORMULAS_READ.format(name=table.path.name))
            run(self.connection, self._script(name), {"by_ndc": by_ndc, "kind": kind_of(name)})
            if not table.parquet:
                run(self.connection, "raw/unreadable_lines", {"table": name})
                self._check_swallowed(table)
            if self.raw.source == eicu.SOURCE:
                self.notes += eicu.complete(self.connection, name)

    @contextmanager
    def opened(self, name: str) -> Iterator[RawTable]:
        """The table's cells as text stand in the view `raw_file`; the reader's list of bad lines is emptied after it.

        Raises:
            InputError: a file that cannot be read.
        """
        table = self.raw[name]
        self._set("raw_paths", [str(check.result().path) for check in self._checks[name]])
        self._set("day_first", self._day_first.get(name, ""))
        try:
            if table.parquet:
                run(self.connection, "raw/parquet_cells")
            else:
                self._set("raw_columns", columns_of(table))
                run(self.connection, "raw/formula_cells" if has_formulas(table) else "raw/file_cells")
            wanted = SOURCES[self.raw.source].columns(name)
            if absent := [column for column in wanted if column not in table.columns]:
                empty = pa.table({column: pa.array([], pa.string()) for column in absent})
                self.connection.register("absent_columns", empty)
                run(self.connection, "raw/completed_file")
            else:
                run(self.connection, "raw/whole_file")
            yield table
        except duckdb.Error as error:
            raise InputError(_unreadable(table, error)) from error
        if not table.parquet:
            self.connection.execute("DELETE FROM reject_errors")  # the next table starts from none

    def _set(self, name: str, value: object) -> None:
        statements = {
            "raw_paths": "SET VARIABLE raw_paths = $value",
            "raw_columns": "SET VARIABLE raw_columns = $value",
            "day_first": "SET VARIABLE day_first = $value",
        }
        self.connection.execute(statements[name], {"value": value})

    def _script(self, name: str) -> str:
        """The SQL file that reads a raw table."""
        if self.raw.source == eicu.SOURCE:
            return f"{eicu.SOURCE}/{name}"
        if name == "prescriptions":
            return "raw/prescriptions"
        if name.startswith("d_icd_"):
            return f"{self.raw.source}/titles"
        return f"{self.raw.source}/codes" if name.endswith("_icd") else f"{self.raw.source}/{name}"

    def _check_swallowed(self, table: RawTable) -> None:
        """A quote that opens and never closes swallows all that follows: no row count would be true."""
        values = {"table": table.name, "longest": _LONGEST_REJECT}
        rows = self.connection.execute(_SWALLOWED, values).fetchall()
        if rows:
            raise InputError(
                f"{table.path}, line {rows[0][0]}: a quotation mark opens a cell and none closes it, so the lines "
                "after it cannot be distinguished. Close the quotation mark or remove the line."
            )


_ORDERS: Final = {"yes": "day/month/year", "no": "month/day/year"}


def kind_of(name: str) -> Kind:
    """What the codes of a raw table are."""
    return "procedure" if name in ("procedures_icd", "d_icd_procedures", "treatment") else "diagnosis"


def columns_of(table: RawTable) -> dict[str, str]:
    """Every column as text; a header cell without a name, or one that stands twice, gets one that nothing reads."""
    names: dict[str, str] = {}
    for i, name in enumerate(table.columns):
        names[name if name and name not in names else f"unnamed_{i}"] = "VARCHAR"
    return names


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _unreadable(table: RawTable, error: duckdb.Error) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        reason, remedy = "memory ran out", "Raise --memory-limit"
    else:
        reason, remedy = first_line(error), "Download it again, or save it as plain CSV in UTF-8"
    return f"{table.path} cannot be read: {reason}. {remedy}."
