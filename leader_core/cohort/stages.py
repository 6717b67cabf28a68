"""The builder's first half: raw tables read, every row judged, damaged cells located.

The order of the SQL statements is the order of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import duckdb

from leader_core.cohort import drug_mapping
from leader_core.cohort.drug_mapping import AtcLevel
from leader_core.cohort.raw_tables import RawFolder, RawTable
from leader_core.cohort.statements import run
from leader_core.domain import Kind
from leader_core.errors import InputError
from leader_core.interactions import StatisticalSignal

Preset = Literal["clinical", "paper"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)

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
    "CREATE TEMP TABLE hospital_titles (kind VARCHAR, icd_code VARCHAR, icd_version VARCHAR, title VARCHAR)",
)
_DROP_RAW: Final = "DROP TABLE raw_prescriptions; DROP TABLE raw_codes"
_DROP_ROWS: Final = "DROP TABLE icd_rows; DROP TABLE usable_codes"
DRUGS: Final = "SELECT drug_id, drug, route, drug_type, ndc FROM drugs ORDER BY drug_id"
ATTRITION: Final = "SELECT * FROM attrition ORDER BY step"
_SWALLOWED: Final = """
SELECT min(line) AS line FROM unreadable_lines
WHERE source_table = $table AND length(value) >= $longest AND reason = 'unreadable line: quotes do not match'
HAVING count(*) > 0
"""


@dataclass(slots=True)
class BuildJob:
    """One build in progress."""

    raw: RawFolder
    preset: Preset
    atc_level: AtcLevel
    seed: int
    label: str
    synthetic: bool
    ndc_map: Mapping[str, str] | None
    signal: StatisticalSignal
    connection: duckdb.DuckDBPyConnection
    report_progress: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    rows_read: dict[str, int] = field(default_factory=dict)

    def run(self, name: str, **values: Any) -> duckdb.DuckDBPyConnection:
        """Execute `sql/NAME.sql` with the values it names."""
        return run(self.connection, name, values)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query).fetchall()

    def register(self, name: str, table: Any) -> None:
        """Let the SQL that follows read an Arrow table under this name."""
        self.connection.register(name, table)


def read_raw(job: BuildJob) -> None:
    """Read every raw table into a staging table; damaged lines are set aside and counted.

    Raises:
        InputError: a file that cannot be read at all, or a needed one without rows.
    """
    create_staging(job.connection)
    for name, table in job.raw.tables.items():
        job.report_progress(f"Reading {table.path.name}")
        try:
            read_table(job.connection, _script(job.raw, name), table, by_ndc=job.ndc_map is not None)
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise InputError(_unreadable(table, error)) from error
        _check_swallowed(job, table)
        _forget_errors(job)
    for name, rows in job.run("stage/rows_read").fetchall():
        if name in job.raw:
            job.rows_read[name] = rows
            if not rows and not name.startswith("d_icd_"):
                raise InputError(
                    f"{job.raw[name].path} has a header line and no rows: expected the whole table. Download it again."
                )


def create_staging(connection: duckdb.DuckDBPyConnection) -> None:
    """The functions that read raw text, and empty tables for what cannot be read."""
    run(connection, "raw/functions")
    for statement in _EMPTY_TABLES:
        connection.execute(statement)


def read_table(connection: duckdb.DuckDBPyConnection, script: str, table: RawTable, *, by_ndc: bool) -> None:
    """One raw file into its staging table; lines that cannot be read go to `unreadable_lines`."""
    values = {"path": str(table.path), "columns": columns_of(table), "by_ndc": by_ndc}
    run(connection, script, {**values, "kind": _kind(table.name)})
    run(connection, "raw/unreadable_lines", {"table": table.name})


def _script(raw: RawFolder, name: str) -> str:
    """The SQL file that reads a raw table."""
    if name == "prescriptions":
        return "raw/prescriptions"
    if name.startswith("d_icd_"):
        return f"{raw.source}/titles"
    return f"{raw.source}/codes" if name.endswith("_icd") else f"{raw.source}/{name}"


def _kind(name: str) -> Kind:
    """What the codes of a raw table are."""
    return "procedure" if "procedures" in name else "diagnosis"


def stage(job: BuildJob) -> None:
    """Judge every row: which visit, which code, and if none, why."""
    job.report_progress("Matching codes and medications")
    job.run("stage/visit_candidates")
    job.run("stage/known_visits")
    job.register("icd_map", drug_mapping.map_icd(job.run("stage/icd_distinct").fetchall()))
    job.run("stage/drugs")
    drugs = job.rows(DRUGS)
    mapped = (
        drug_mapping.map_ndc(drugs, job.ndc_map)
        if job.preset == "paper" and job.ndc_map is not None
        else drug_mapping.map_drugs(drugs, job.atc_level, job.ndc_map)
    )
    job.register("drug_outcomes", mapped.outcomes())
    job.register("drug_codes", mapped.code_table())
    for name in ("code_ids", "icd_rows", "drug_rows"):
        job.run(f"stage/{name}")
    _find_unreadable_cells(job)
    job.connection.execute(_DROP_RAW)  # the largest staging tables are not read again
    job.run("stage/usable_codes")
    for name in ("kept_codes", "filters", "visit_filters"):
        job.run(f"{job.preset}/{name}", source=job.raw.source)
    for name in ("code_accounts", "kept_visit_codes"):
        job.run(f"stage/{name}")
    job.connection.execute(_DROP_ROWS)


def _find_unreadable_cells(job: BuildJob) -> None:
    """A second look at tables with damaged cells, to say on which line they are."""
    for name in [name for name, rows in job.run("stage/damage").fetchall() if rows]:
        table = job.raw[name]
        script = {
            "patients": f"{job.raw.source}/unreadable_patients",
            "admissions": "raw/unreadable_admissions",
            "prescriptions": "raw/unreadable_ids",
        }.get(name, f"{job.raw.source}/unreadable_codes")
        job.run(script, table=name, path=str(table.path), columns=columns_of(table), kind=_kind(name))
        _forget_errors(job)


def _forget_errors(job: BuildJob) -> None:
    """Empty the reader's own list of errors, so that the next table starts from none."""
    job.connection.execute("DELETE FROM reject_errors")


def nothing_left(job: BuildJob) -> str:
    """Which filter took the last visit, as an error's text."""
    job.run("cohort/attrition")
    steps = job.rows(ATTRITION)
    last = next((step for step in steps if not step[5]), steps[-1])
    return (
        f"No visit is left in {job.raw.root}: the filter '{last[1]}' left 0 of {last[4]:,} visits. "
        "Check that the tables belong together and are complete."
    )


def columns_of(table: RawTable) -> dict[str, str]:
    """Every column as text; a header cell without a name gets one that nothing reads."""
    return {name or f"unnamed_{i}": "VARCHAR" for i, name in enumerate(table.columns)}


def _check_swallowed(job: BuildJob, table: RawTable) -> None:
    """A quote that opens and never closes swallows all that follows: no row count would be true."""
    values = {"table": table.name, "longest": _LONGEST_REJECT}
    rows = job.connection.execute(_SWALLOWED, values).fetchall()
    if rows:
        raise InputError(
            f"{table.path}, line {rows[0][0]}: a quotation mark opens a cell and none closes it, so the lines "
            "after it cannot be distinguished. Close the quotation mark or remove the line."
        )


def _unreadable(table: RawTable, error: duckdb.Error) -> str:
    text = str(error)
    if "invalid state" in text or "new line" in text.lower():
        reason, remedy = (
            "its line ends are mixed (some \\n, some \\r\\n)",
            "Give the file one kind of line end",
        )
    elif isinstance(error, duckdb.OutOfMemoryException):
        reason, remedy = "memory ran out", "Raise --memory-limit"
    else:
        reason, remedy = first_line(error), "Download it again, or save it as plain CSV in UTF-8"
    return f"{table.path} cannot be read: {reason}. {remedy}."


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
